"""A part of each kind that a package can bring, each as short as it can be."""

from my_wm.data import Posterize, Stamp, StampSampler
from my_wm.engine import Count, Quiet
from my_wm.measure import Difference, Sharpness
from my_wm.network import Brighten, Edges, Plain

__all__ = [
    "Brighten",
    "Count",
    "Difference",
    "Edges",
    "Plain",
    "Posterize",
    "Quiet",
    "Sharpness",
    "Stamp",
    "StampSampler",
]
