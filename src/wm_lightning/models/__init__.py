"""Networks: plain ``torch.nn`` modules that know neither losses nor Lightning."""

from wm_lightning.models.base import RestorationNet
from wm_lightning.models.dncnn import DnCNN
from wm_lightning.models.heads import Head
from wm_lightning.models.nafnet import NAFNet
from wm_lightning.models.pixel_unshuffle_unet import PixelUnshuffleUNet
from wm_lightning.models.swcnn import SWCNN
from wm_lightning.models.unet import HeterogeneousUNet
from wm_lightning.sizes import SizeRequirement

__all__ = [
    "SWCNN",
    "DnCNN",
    "Head",
    "HeterogeneousUNet",
    "NAFNet",
    "PixelUnshuffleUNet",
    "RestorationNet",
    "SizeRequirement",
]
