"""Trained networks: what one is, its two kinds of files, and whose code a file may ask for."""

from wm_lightning.trained.contents import load_state, located, read
from wm_lightning.trained.network import TrainedNetwork, load, save

__all__ = ["TrainedNetwork", "load", "load_state", "located", "read", "save"]
