"""Pictures with known damage, and rendering that lets no warning pass."""

import warnings

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg


@pytest.fixture
def clean():
    """An odd-sized picture in 0.2..0.8."""
    return 0.2 + 0.6 * torch.rand((3, 37, 31), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def render():
    """Draws a figure and returns its pixels, (H, W, 3) uint8; any warning is an error."""

    def draw(figure):
        canvas = FigureCanvasAgg(figure)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3]

    return draw
