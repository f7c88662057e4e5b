"""When and where to draw, log and save; no mathematics in here."""

from wm_lightning.callbacks.agreement import Agreement
from wm_lightning.callbacks.beginning import Beginning
from wm_lightning.callbacks.config import ConfigInCheckpoint
from wm_lightning.callbacks.epoch_line import EpochLine
from wm_lightning.callbacks.figures import EpochFigures
from wm_lightning.callbacks.finite import FiniteLoss, NotFiniteError
from wm_lightning.callbacks.first_look import FirstLook
from wm_lightning.callbacks.freeze_batchnorm import FreezeBatchNorm
from wm_lightning.callbacks.per_image import PerImageTable
from wm_lightning.callbacks.pixel_counts import PixelCounts
from wm_lightning.callbacks.progress import Progress
from wm_lightning.callbacks.samples import SampleImages
from wm_lightning.callbacks.summary import RunSummary, read_history
from wm_lightning.callbacks.tensorboard import RunDescription
from wm_lightning.callbacks.validated import Validated

__all__ = [
    "Agreement",
    "Beginning",
    "ConfigInCheckpoint",
    "EpochFigures",
    "EpochLine",
    "FiniteLoss",
    "FirstLook",
    "FreezeBatchNorm",
    "NotFiniteError",
    "PerImageTable",
    "PixelCounts",
    "Progress",
    "RunDescription",
    "RunSummary",
    "SampleImages",
    "Validated",
    "read_history",
]
