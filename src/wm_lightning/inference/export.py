"""Writes a network as an ONNX file or a ``torch.export`` archive."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wm_lightning.errors import ArgumentError, UserError, writable
from wm_lightning.files import replacing
from wm_lightning.inference.onnx_engine import METADATA
from wm_lightning.inference.torch_engine import CorrectionNet
from wm_lightning.models import RestorationNet

OUTPUTS = ("gain", "offset", "mask", "recognition")  # the last of a network that recognises marks by its features
TOLERANCE = 1e-4
CHECKED = ((1, 2, 2), (1, 5, 9), (2, 8, 6))  # batch, and height and width in the network's multiples

Run = Callable[[Tensor], Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]


def export(net: RestorationNet, path: Path) -> float:
    """Writes a network that takes any batch, height and width (multiples of what it declares), and compares it.

    Its input ``image`` is (B, 3, H, W) in 0..1; its outputs are those of
    :class:`~wm_lightning.inference.torch_engine.CorrectionNet`.

    Args:
        net: The network.
        path: A file that ends in ``.onnx``, or in ``.pt2`` for ``torch.export``.

    Returns:
        By how much the file's outputs differ from the network's at most, over three sizes.

    Raises:
        UserError: A package is missing, the suffix is another, the place cannot be written to, or the file differs by
            more than :data:`TOLERANCE`; then it is not left behind.
    """
    writers = {".onnx": _write_onnx, ".pt2": _write_archive}
    if path.suffix not in writers:
        raise ArgumentError("{path}={} must end in .onnx, or in .pt2 for torch.export.", path)
    wrapped = CorrectionNet(net).float().eval()
    with writable(path), replacing(path) as draft:
        with silent():
            run = writers[path.suffix](wrapped, draft)
        difference = max(_difference(wrapped, run, shape) for shape in CHECKED)
        if difference > TOLERANCE:
            raise UserError(f"{path} would differ from its network by {difference:.1e}; it was not written.")
    return difference


def _shape(net: CorrectionNet, shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
    batch, rows, columns = shape
    least = net.size.padded(1)
    return batch, 3, rows * least, columns * least


def _dimensions(net: CorrectionNet) -> tuple[dict[int, object]]:
    batch, rows, columns = (torch.export.Dim(name, min=1) for name in ("batch", "rows", "columns"))
    multiple = net.size.multiple
    return ({0: batch, 2: multiple * rows, 3: multiple * columns},)


def exported(net: CorrectionNet, optimize: bool = True) -> torch.onnx.ONNXProgram:
    """Returns a network as ONNX, with what :class:`~wm_lightning.inference.onnx_engine.OnnxEngine` asks of a file.

    Args:
        net: The network.
        optimize: Joins BatchNorm to convolutions and the like; else weights are the network's own, by its names.

    Raises:
        UserError: A package is missing.
    """
    try:
        import onnxscript  # noqa: F401 - PyTorch writes ONNX with it
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed, which writing ONNX needs: pip install 'wm-lightning[export]'."
        ) from error
    example = torch.rand(_shape(net, CHECKED[-1]))
    with silent():
        program = torch.onnx.export(
            net,
            (example,),
            dynamo=True,
            verbose=False,
            optimize=optimize,
            input_names=["image"],
            output_names=list(OUTPUTS if net.recognises else OUTPUTS[:-1]),
            dynamic_shapes=_dimensions(net),
        )
    assert program is not None
    facts = {"multiple": net.size.multiple, "minimum": net.size.minimum, "knows_layers": net.net.knows_layers}
    program.model.metadata_props[METADATA] = json.dumps(facts)
    return program


@contextmanager
def silent() -> Iterator[None]:
    """Keeps what PyTorch, ONNX Script and ONNX Runtime say of their own code from the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _write_onnx(net: CorrectionNet, path: Path) -> Run:
    import onnxruntime

    exported(net).save(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image.numpy()})


def _write_archive(net: CorrectionNet, path: Path) -> Run:
    example = torch.rand(_shape(net, CHECKED[-1]))
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=_dimensions(net)), path)
    loaded = torch.export.load(path).module()
    return lambda image: [part.detach().numpy() for part in loaded(image)]


def _difference(net: CorrectionNet, run: Run, shape: tuple[int, int, int]) -> float:
    image = torch.rand(_shape(net, shape), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = net(image)
    return max(float(np.abs(one.numpy() - other).max()) for one, other in zip(expected, run(image), strict=True))
