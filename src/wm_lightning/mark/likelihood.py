"""How likely a picture is beneath a mark: photographs have few strong gradients, what a mark leaves has many."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]

LEAST = 0.003  # scale of gradients, that of noise in 8 bits
EDGE = 0.1  # of its steepest step, from which a step is an edge of a mark
AROUND = 25  # pixels around a mark that tell a picture's texture
TURNS = 20  # of a fixed point that is near after ten


def cauchy_scale(gradients: npt.NDArray[np.floating]) -> float:
    """Returns the scale s of a Cauchy distribution that gradients, of any shape, are of.

    The likelihood is greatest where ``2 mean(g^2 / (g^2 + s^2)) = 1``; found as a fixed point.
    """
    squares = np.square(gradients, dtype=np.float64).ravel() + 1e-8
    scale = float(np.sqrt(np.median(squares))) + 1e-3
    for _ in range(TURNS):
        scale *= float(np.sqrt(2 * (squares / (squares + scale**2)).mean()))
    return max(scale, LEAST)


def differences(picture: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Returns what each pixel differs by from its left and its upper neighbour, of (..., H, W, C), each a side less."""
    return np.diff(picture, axis=-2), np.diff(picture, axis=-3)


def energy(
    picture: npt.NDArray[np.float32], alpha: npt.NDArray[np.float32], paint: npt.NDArray[np.float32], scale: float
) -> tuple[float, float, int]:
    """Compares how likely a picture is with a mark, and without.

    Gradients g of ``c = (x - b) / (1 - a)`` are Cauchy distributed. They are those of the picture divided by 1 - a,
    which the Jacobian makes up for: without it a mark would always speak against itself. Only gradients at the mark's
    edges count, since within a picture may be flat of itself.

    Args:
        picture: (h, w, 3) in 0..1.
        alpha: Opacity, (h, w), below 1.
        paint: (h, w, 3).
        scale: Of the picture's gradients, see :func:`cauchy_scale`.

    Returns:
        Negative logarithms of the likelihoods, with the mark and without, and of how many gradients.
    """
    left = 1 - alpha
    beneath = (picture - paint) / left[..., None]
    beyond = np.square(np.maximum(beneath - 1, 0)) + np.square(np.maximum(-beneath, 0))
    energies, count = np.array([50 * float(beyond.sum(dtype=np.float64)), 0.0]), 0
    for axis in (1, 0):
        one, other = _edges(alpha, paint, axis)
        cleaned, own = beneath[other] - beneath[one], picture[other] - picture[one]
        with_it = np.log1p(np.square(cleaned / scale)) + np.log((left[other] + left[one]) / 2)[:, None]
        energies += with_it.sum(dtype=np.float64), np.log1p(np.square(own / scale)).sum(dtype=np.float64)
        count += own.size
    return float(energies[0]), float(energies[1]), count


def _edges(
    alpha: npt.NDArray[np.float32], paint: npt.NDArray[np.float32], axis: int
) -> tuple[tuple[Indices, Indices], tuple[Indices, Indices]]:
    """Returns rows and columns of both neighbours along an axis between which a mark has an edge."""
    sizes = np.abs(np.diff(alpha, axis=axis))
    for colour in np.moveaxis(paint, -1, 0):
        np.maximum(sizes, np.abs(np.diff(colour, axis=axis)), out=sizes)
    rows, columns = np.nonzero(sizes > EDGE * sizes.max(initial=0))
    return (rows, columns), (rows + (axis == 0), columns + (axis == 1))


def scale_around(picture: npt.NDArray[np.float32], area: npt.NDArray[np.bool_]) -> float:
    """Returns the scale of a picture's gradients around a mark; see :func:`cauchy_scale`.

    Args:
        picture: (h, w, 3) in 0..1, with a margin around the mark.
        area: Where it is, (h, w); where there is no margin, the whole picture counts.
    """
    hole, reach = area.astype(np.uint8), np.ones((2 * AROUND + 1, 2 * AROUND + 1), np.uint8)
    near = cv2.dilate(hole, reach).astype(bool) & ~cv2.dilate(hole, np.ones((5, 5), np.uint8)).astype(bool)
    if not near.any():
        near = np.ones_like(near)
    across, down = differences(picture)
    return cauchy_scale(np.concatenate((across[near[:, 1:]], down[near[1:]])))
