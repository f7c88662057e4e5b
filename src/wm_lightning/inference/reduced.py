"""Exported networks in fewer bits, float16 and int8, and what they lose by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch

from wm_lightning.errors import ArgumentError, writable
from wm_lightning.files import pictures_below, replacing
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import pad
from wm_lightning.inference.export import exported, silent
from wm_lightning.inference.pictures import read_picture
from wm_lightning.inference.pixels import as_floats
from wm_lightning.inference.torch_engine import CorrectionNet
from wm_lightning.models import RestorationNet
from wm_lightning.sizes import SizeRequirement

if TYPE_CHECKING:
    import onnx

Batch = npt.NDArray[np.float32]
MOST = 64  # pictures that are read
SIDE = 512  # pixels; larger pictures are reduced to it
HELD = 4  # one in so many pictures measures the loss; int8 is calibrated on the others


def export_reduced(net: RestorationNet, path: Path, precision: str, pictures: Path) -> float:
    """Writes a network as ONNX in fewer bits, and measures what that changes; inputs and outputs stay float32.

    Args:
        net: The network.
        path: A file that ends in ``.onnx``.
        precision: ``float16``: all values; half the size; faster only where the hardware computes with float16.
            ``int8``: weights and activations of convolutions, but for the first and the last one, whose rounding would
            show in the picture; per channel, from the least to the greatest value seen. Faster on CPUs.
        pictures: A folder of pictures such as will be cleaned, marked ones among them: up to 64 are read, of which
            three in four calibrate ``int8`` and the others measure the loss.

    Returns:
        The loss: PSNR in dB of what the file makes of pictures against what the network makes of them.

    Raises:
        UserError: A package is missing, the suffix is another, there are fewer than four pictures, or damaged
            ones, or the place cannot be written to.
    """
    if path.suffix != ".onnx":
        raise ArgumentError("{precision}={} needs {path}=FILE.onnx, not {}.", precision, path)
    batches = _batches(pictures, net.size)
    wrapped = CorrectionNet(net).float().eval()
    model = exported(wrapped).model_proto
    with writable(path), replacing(path) as draft:
        if precision == "float16":
            _write_float16(model, draft)
        else:
            _write_int8(model, draft, [one for number, one in enumerate(batches) if number % HELD])
        return _loss(wrapped, draft, batches[::HELD])


def _batches(folder: Path, size: SizeRequirement) -> list[Batch]:
    """Reads pictures as (1, 3, H, W) in 0..1, of sizes that the network takes."""
    files = sorted(pictures_below(folder))[:MOST]
    if len(files) < HELD:
        raise ArgumentError("{pictures}={} holds {} pictures; at least {} are needed.", folder, len(files), HELD)
    batches = []
    for file in files:
        pixels = as_floats(read_picture(file, first=True).pixels)
        share = min(1, SIDE / max(pixels.shape[:2]))
        if share < 1:
            reduced = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            pixels = np.asarray(reduced, np.float32)
        batches.append(np.ascontiguousarray(pad(pixels, size).transpose(2, 0, 1)[None]))
    return batches


def _write_float16(model: onnx.ModelProto, path: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(model, keep_io_types=True), path)


def _write_int8(model: onnx.ModelProto, path: Path, batches: Sequence[Batch]) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    with silent():
        quantize_static(
            model,
            path,
            _Reader(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[convolutions[0], convolutions[-1]],
        )


class _Reader:
    """Hands pictures to ONNX Runtime's calibration, which asks until there is none."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.rest: Iterator[Batch] = iter(batches)

    def get_next(self) -> dict[str, Batch] | None:
        batch = next(self.rest, None)
        return None if batch is None else {"image": batch}


def _loss(net: CorrectionNet, path: Path, batches: Sequence[Batch]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    errors = []
    for image in batches:
        with torch.no_grad():
            expected = Correction(*(part.numpy() for part in net(torch.from_numpy(image))[:3])).apply(image)
        found = Correction(*session.run(None, {"image": image})[:3]).apply(image)
        errors.append(float(np.square(expected - found).mean()))
    return float(-10 * np.log10(max(float(np.mean(errors)), 1e-12)))
