"""Networks: plain ``torch.nn`` modules that know neither losses nor Lightning."""

from wm_lightning.models.base import RestorationNet
from wm_lightning.models.size import SizeRequirement
from wm_lightning.models.unet import HeterogeneousUNet

__all__ = ["HeterogeneousUNet", "RestorationNet", "SizeRequirement"]
