"""Pictures that share a mark of which everything is known."""

import cv2
import numpy as np
import pytest

from wm_lightning.mark.known import KnownMark, Place

SIZE = 96, 128
CORNER = 38, 34
OPACITY = 0.4


def photograph(seed, size=SIZE):
    """Makes a picture with edges and shades, as photographs have them, (H, W, 3) float32 in 0..1."""
    rng = np.random.default_rng(seed)
    height, width = size
    picture = cv2.resize(rng.random((4, 5, 3), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(14):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(4, 30)), int(rng.integers(4, 30))
        colour = [float(value) for value in rng.random(3)]
        cv2.ellipse(picture, centre, axes, float(rng.integers(180)), 0, 360, colour, -1, cv2.LINE_AA)
    return np.clip(picture, 0, 1)


def lettering():
    """Draws white letters, (h, w) in 0..OPACITY."""
    drawn = np.zeros((22, 62), np.uint8)
    cv2.putText(drawn, "ABC", (2, 19), cv2.FONT_HERSHEY_DUPLEX, 0.8, 255, 2, cv2.LINE_AA)
    return drawn.astype(np.float32) / 255 * OPACITY


def put(clean, mark, corner=CORNER, strength=1.0):
    """Blends a mark over a picture at a row and column; rounds to 8 bits."""
    alpha, paint = mark.alpha * strength, mark.paint * strength
    result = clean.copy()
    part = slice(corner[0], corner[0] + alpha.shape[0]), slice(corner[1], corner[1] + alpha.shape[1])
    result[part] = (1 - alpha[..., None]) * result[part] + paint
    return np.rint(np.clip(result, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def letters():
    """A mark of white letters, at CORNER from the top left."""
    alpha = lettering()
    white = np.repeat(alpha[..., None], 3, axis=-1)
    return KnownMark(alpha, white, np.zeros_like(alpha), Place((0.0, 0.0), (float(CORNER[0]), float(CORNER[1]))))
