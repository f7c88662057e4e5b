"""Times the forms a network can be run in on one photograph: ``python benchmarks/exports.py [--megapixels 12]``.

PyTorch in float32 and in the machine's own precision, TorchScript, ``torch.export``, ONNX Runtime with float32, float16
and int8, and OpenVINO where it is installed (``pip install openvino``). The photograph, with a word across half its
width, is cut into tiles; the forms take turns tile by tile, with as many threads as PyTorch has (``OMP_NUM_THREADS``).
Told are seconds of processor time, which other processes disturb less than those of the clock, the file's size, and the
loss: PSNR in dB against what PyTorch makes of the photograph in float32.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from inference import large_file, small_files
from synthesis import make_photographs

from wm_lightning.data.sources import decode
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import pad
from wm_lightning.inference.export import export, silent
from wm_lightning.inference.reduced import export_reduced
from wm_lightning.inference.torch_engine import CorrectionNet, TorchEngine
from wm_lightning.trained import load

log = logging.getLogger("exports")
Floats = npt.NDArray[np.float32]
Run = Callable[[Floats], Any]  # (1, 3, H, W) in 0..1 to gain, offset and what follows


def of_pytorch(name: str) -> dict[str, Run]:
    """Opens the network in float32 and in the machine's precision, as ``predict.py`` runs it."""
    engine = TorchEngine(load(name).net, "cpu")
    if engine.dtype is None:
        log.info("This machine is fastest in float32, so that PyTorch has one row.")

    def run(dtype: torch.dtype | None, image: Floats) -> list[Floats]:
        tensor = torch.from_numpy(image).to(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype is not None):
            return [part.float().numpy() for part in engine.net(tensor)]

    types = {"float32": None, **({str(engine.dtype).removeprefix("torch."): engine.dtype} if engine.dtype else {})}
    return {f"PyTorch, {kind}": partial(run, dtype) for kind, dtype in types.items()}


def of_torch_files(name: str, folder: Path, example: Floats) -> dict[Path, tuple[str, Run]]:
    """Writes the network as TorchScript and with ``torch.export``, and opens both."""
    net = load(name).net
    wrapped = CorrectionNet(net).float().eval()
    script, archive = folder / "net.pt", folder / "net.pt2"
    with silent(), torch.no_grad():
        torch.jit.save(torch.jit.freeze(torch.jit.trace(wrapped, torch.from_numpy(example))), script)  # type: ignore[no-untyped-call]
        export(net, archive)
        opened = {"TorchScript": (script, torch.jit.load(script))}  # type: ignore[no-untyped-call]
        opened["torch.export"] = (archive, torch.export.load(archive).module())

    def run(module: Callable[[torch.Tensor], Any], image: Floats) -> list[Floats]:
        with torch.inference_mode():
            return [part.numpy() for part in module(torch.from_numpy(image))]

    return {file: (form, partial(run, module)) for form, (file, module) in opened.items()}


def of_onnx_files(name: str, folder: Path, pictures: Path) -> dict[Path, tuple[str, Run]]:
    """Writes the network as ONNX, and opens the files with ONNX Runtime and OpenVINO."""
    import onnxruntime

    threads = torch.get_num_threads()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads

    def run(session: onnxruntime.InferenceSession, image: Floats) -> list[Floats]:
        found: list[Floats] = session.run(None, {"image": image})
        return found

    files: dict[Path, tuple[str, Run]] = {}
    for kind in ("float32", "float16", "int8"):
        file = folder / f"{kind}.onnx"
        if kind == "float32":
            export(load(name).net, file)
        else:
            export_reduced(load(name).net, file, kind, pictures)
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        files[file] = (f"ONNX Runtime, {kind}", partial(run, session))
    return files


def of_openvino(folder: Path) -> dict[str, Run]:
    """Opens what was written as ONNX with OpenVINO, where that is installed."""
    if find_spec("openvino") is None:
        log.info("OpenVINO is not installed, and left out: pip install openvino.")
        return {}
    import openvino

    def run(compiled: openvino.CompiledModel, image: Floats) -> list[Floats]:
        return list(compiled(image).values())

    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    core, found = openvino.Core(), dict[str, Run]()
    for form, file, more in (
        ("float32", "float32", {"INFERENCE_PRECISION_HINT": "f32"}),
        ("its own choice", "float32", {}),
        ("int8", "int8", {}),
    ):
        compiled = core.compile_model(str(folder / f"{file}.onnx"), "CPU", {**threads, **more})
        found[f"OpenVINO, {form}"] = partial(run, compiled)
    return found


def measure(forms: dict[str, Run], tiles: list[Floats]) -> dict[str, tuple[float, float]]:
    """Returns seconds of processor time, and mean squared differences to the first form's pictures, by form."""
    for run in forms.values():
        run(tiles[0])  # what is prepared at the first picture
    seconds, errors = dict.fromkeys(forms, 0.0), dict.fromkeys(forms, 0.0)
    for tile in tiles:
        expected = None
        for name, run in forms.items():
            started = time.process_time()
            found = run(tile)[:3]
            seconds[name] += time.process_time() - started
            restored = Correction(*found).apply(tile)
            expected = restored if expected is None else expected
            errors[name] += float(np.square(restored - expected).mean()) / len(tiles)
    return {name: (seconds[name], errors[name]) for name in forms}


def cut_up(photograph: npt.NDArray[np.uint8], net: CorrectionNet, side: int) -> list[Floats]:
    """Cuts a photograph (H, W, 3) into tiles (1, 3, side, side) in 0..1, those at the borders moved inwards."""
    whole = photograph.astype(np.float32) / np.float32(255)
    places = (
        sorted({min(start, max(0, length - side)) for start in range(0, length, side)}) for length in whole.shape[:2]
    )
    tiles = (whole[row : row + side, column : column + side] for row, column in product(*places))
    return [np.ascontiguousarray(pad(tile, net.size).transpose(2, 0, 1)[None]) for tile in tiles]


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default="general")
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--side", type=int, default=512, help="of a tile, in pixels")
    parser.add_argument("--pictures", type=int, default=32, help="that int8 is calibrated on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("photographs", "marked"):
            (folder / part).mkdir()
        make_photographs(folder / "photographs")
        small_files(folder / "photographs", folder / "marked", options.pictures)
        photograph = decode(large_file(folder, options.megapixels))
        tiles = cut_up(photograph, CorrectionNet(load(options.weights).net), options.side)
        written = of_torch_files(options.weights, folder, tiles[0])
        written |= of_onnx_files(options.weights, folder, folder / "marked")
        sizes = {form: file.stat().st_size / 2**20 for file, (form, _) in written.items()}
        forms = of_pytorch(options.weights) | dict(written.values()) | of_openvino(folder)
        found = measure(forms, tiles)
        tell(found, sizes, sum(tile.size for tile in tiles) / 3e6)


def tell(found: dict[str, tuple[float, float]], sizes: dict[str, float], megapixels: float) -> None:
    """Prints the table."""
    first = next(iter(found.values()))[0]
    log.info("| %.3g megapixels, threads: %d | seconds | ratio | MiB | loss |", megapixels, torch.get_num_threads())
    log.info("|---|---:|---:|---:|---:|")
    for name, (seconds, error) in found.items():
        size = f"{sizes[name]:.1f}" if name in sizes else ""
        loss = f"{-10 * np.log10(error):.1f} dB" if error else "none"
        log.info("| %s | %.2f | %.2f | %s | %s |", name, seconds, seconds / first, size, loss)


if __name__ == "__main__":
    main()
