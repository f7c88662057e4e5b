"""Runs an exported network with ONNX Runtime; PyTorch is not imported."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from wm_lightning.commands import program, shell
from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import shipped, shipped_names
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import check_not_forked, pad
from wm_lightning.sizes import SizeRequirement

METADATA = "wm_lightning"  # the key of what this project says of an exported network
PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider", "cpu": "CPUExecutionProvider"}


class OnnxEngine:
    """Runs an exported network with ONNX Runtime.

    Args:
        path: What ``export.py`` wrote, or the name of weights that come with this project.
        device: ``auto`` takes what ONNX Runtime was built for.

    Raises:
        UserError: The file is missing, or the file was not written by this project.
    """

    def __init__(self, path: str, device: str = "auto") -> None:
        path = str(shipped(path, ".onnx") or path)
        if not Path(path).is_file():
            names = ", ".join(shipped_names())
            raise UserError(f"There are no weights {path}; give the path of a file, or one of {names}.")
        if Path(path).suffix != ".onnx":
            export = shell(*program("export"))
            raise ArgumentError("{engine}=onnx needs {weights}=FILE.onnx, not {}; {} writes one.", path, export)
        offered = onnxruntime.get_available_providers()
        wanted = [
            name for kind, name in PROVIDERS.items() if device.partition(":")[0] in ("auto", kind) and name in offered
        ]
        if not wanted:
            raise ArgumentError("{device}={}: this ONNX Runtime has none; use {device}=cpu.", device)
        try:
            self.session = onnxruntime.InferenceSession(path, providers=wanted)
        except Exception as error:  # ONNX Runtime's errors have no class of their own
            raise UserError(f"{path} cannot be read as a network; it is damaged or another kind of file.") from error
        told = self.session.get_modelmeta().custom_metadata_map.get(METADATA)
        if told is None:
            raise UserError(f"{path} was not written by wm-export, and does not say what it takes and returns.")
        facts: dict[str, Any] = json.loads(told)
        self.size = SizeRequirement(int(facts["multiple"]), int(facts["minimum"]))
        self.knows_layers = bool(facts["knows_layers"])
        self.process = os.getpid()

    def correct(self, picture: npt.NDArray[np.float32]) -> Correction:
        """See :class:`~wm_lightning.inference.engine.Engine`.

        Raises:
            UserError: This process was forked from the one that opened it, or the answer is no numbers.
        """
        check_not_forked(self.process, "ONNX Runtime")
        height, width = picture.shape[:2]
        padded = pad(picture, self.size)
        image = np.ascontiguousarray(padded.transpose(2, 0, 1)[None])
        found = self.session.run(None, {"image": image})
        return Correction(*(part[0, :, :height, :width].transpose(1, 2, 0) for part in found)).checked()
