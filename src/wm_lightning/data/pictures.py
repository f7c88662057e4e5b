"""Pictures as they are, for a network to look at."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from wm_lightning.data.sources import decode
from wm_lightning.errors import UserError
from wm_lightning.files import pictures_below


class PictureFolder(Dataset[Tensor]):
    """The pictures of a folder, searched recursively, in the order of their paths: for ``Trainer.predict``.

    Each is (3, H, W) float32 sRGB in 0..1, upright, of its own size; so batches are of one, unless all sizes are equal.

    Args:
        root: The folder.

    Attributes:
        paths: Of the files.

    Raises:
        UserError: It holds no pictures.
    """

    def __init__(self, root: str | Path) -> None:
        self.paths = sorted(pictures_below(Path(root)))
        if not self.paths:
            raise UserError(f"{root} holds no pictures; give a folder that does.")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Reads one.

        Raises:
            OSError: The file is no complete picture.
        """
        return torch.from_numpy(decode(self.paths[index])).movedim(-1, 0).float().div_(255)
