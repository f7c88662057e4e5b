"""Packages that only some uses need: what to install where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wm_lightning.errors import UserError

# By the name that is imported: the extra of pyproject.toml that brings it
EXTRAS = {
    **dict.fromkeys(("torch", "scipy"), "torch"),
    **dict.fromkeys(
        (
            "albumentations", "filelock", "fontTools", "hydra", "jinja2", "kornia", "lightning", "matplotlib",
            "omegaconf", "pydantic", "skimage", "tensorboard", "torchmetrics",
        ),
        "train",
    ),
    **dict.fromkeys(("onnx", "onnxscript"), "export"),
    **dict.fromkeys(("jpeglib", "mozjpeg_lossless_optimization"), "jpeg"),
    "huggingface_hub": "hub",
    "spandrel": "spandrel",
    "pillow_heif": "heif",
    "gradio": "app",
    "optuna": "sweep",
    "pg8000": "postgres",
    "boto3": "streaming",
    **dict.fromkeys(("pyarrow", "ray"), "ray"),
}  # fmt: skip


class MissingPackageError(UserError, ImportError):
    """A package is not installed that belongs to one of this project's extras."""


def installing(extra: str) -> str:
    """Returns the command that installs an extra."""
    return f"pip install 'wm-lightning[{extra}]'"


@contextmanager
def needing(use: str) -> Iterator[None]:
    """Says what to install where an import inside finds a package of an extra missing.

    Args:
        use: What needs it, at the sentence's beginning: ``Training``.

    Raises:
        MissingPackageError: A package of :data:`EXTRAS` is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise MissingPackageError(f"{use} needs {error.name}, which is not installed: {installing(extra)}.") from error
