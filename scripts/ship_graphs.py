"""Writes what ONNX Runtime runs shipped weights with: `python scripts/ship_graphs.py weights/NAME.safetensors ...`.

NAME.onnx is a graph without weights: it names the places in NAME.safetensors, beside it, where they begin, so that they
are shipped once. Write it again whenever that file is written.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper

from wm_lightning.errors import UserError
from wm_lightning.files import replacing
from wm_lightning.inference.export import exported
from wm_lightning.inference.torch_engine import CorrectionNet
from wm_lightning.trained import load

log = logging.getLogger("ship_graphs")
TYPES = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}


def main() -> None:
    """Reads the command line, writes the files."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights", nargs="+", type=Path, help="files that end in .safetensors")
    for path in parser.parse_args().weights:
        try:
            graph = write_graph(path)
        except UserError as error:
            sys.exit(f"error: {error}")
        log.info("%s: %.0f kB", graph, graph.stat().st_size / 1e3)


def write_graph(weights: Path) -> Path:
    """Writes the graph of a weight file's network beside it.

    Returns:
        The path of what was written.

    Raises:
        UserError: The file cannot be read.
    """
    net = CorrectionNet(load(str(weights)).net).float().eval()
    model = onnx.ModelProto.FromString(exported(net, optimize=False).model_proto.SerializeToString())
    begin, tensors = _header(weights)
    casts = [_referred(tensor, begin, tensors, weights.name) for tensor in model.graph.initializer]
    nodes = [*(cast for cast in casts if cast is not None), *model.graph.node]
    del model.graph.node[:], model.graph.value_info[:], model.functions[:]
    model.graph.node.extend(nodes)
    for node in model.graph.node:  # where in PyTorch's sources they come from
        del node.metadata_props[:]
        node.doc_string = ""
    path = weights.with_suffix(".onnx")
    with replacing(path) as draft:
        draft.write_bytes(model.SerializeToString())
        draft.chmod(0o644)
    return path


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Returns where tensors begin in a safetensors file, and its header: a length in 8 bytes, then as much JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return 8 + length, json.loads(file.read(length))


def _referred(tensor: TensorProto, begin: int, tensors: dict[str, Any], file: str) -> onnx.NodeProto | None:
    """Puts a place in a file where a tensor's values were; returns what widens them, where they are float16 there."""
    told = tensors.get(tensor.name.removeprefix("net."))
    if told is None:
        return None  # a constant of the network's code
    first, end = told["data_offsets"]
    assert list(tensor.dims) == told["shape"], tensor.name
    name, kind = tensor.name, TYPES[told["dtype"]]
    tensor.ClearField("raw_data")
    tensor.data_type, tensor.data_location = kind, TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", begin + first), ("length", end - first)):
        tensor.external_data.add(key=key, value=str(value))
    if kind == TensorProto.FLOAT:
        return None
    tensor.name = f"{name}.half"
    return helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
