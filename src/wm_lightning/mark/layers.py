"""A mark's opacity and paint from many pictures that lie upon each other."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from wm_lightning.mark.anchors import reduced
from wm_lightning.mark.likelihood import scale_around

Stack = npt.NDArray[np.uint8]  # (N, h, w, 3)
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

DEEP = 8  # pixels within a mark's rim that are compared with its surroundings
APART = 4, 12  # pixels from its rim that these lie apart
MARGIN = 6  # pixels around a mark that are looked at with it
DEEPEST = 40  # pixels from the rim on that a guess is no better
SIZES = 1, 2, 4  # of the blocks whose gradients are looked at: blurred rims show in large ones
STEPS = 250
VALUES = 2_000_000  # that a step looks at; of a large mark so many pictures at a time
RATES = 0.2, 0.04, 0.02  # of Adam, of the opacity's logit, of the paint, and of how rough pictures are beneath
INNER = np.ones((11, 11), np.uint8)  # around pixels that lie within a mark, its rim aside
FITTED = 4 / 3  # values for each pixel and channel that are chosen: the paint, and a third of the opacity
COLOURS = 6  # that a mark is taken to have at most
DIFFERENT = 0.1  # distance of two colours, of which less is chance
RECOLOURED = 50  # steps after which these are looked for again
ALIKE = 10  # weight of the distance from them; with 30, marks in many shades are left behind in part
FAINT = 3  # weight of the opacity where a mark fades out
NEAR = 0.01  # a distance that is no more than chance
SMOOTH = 0.3  # weight of the paint's total variation; the opacity's is three times it
NOISE = 0.05  # standard deviation of what inpainting guesses, near the rim
LEAST_LEFT = 0.05  # of a picture beneath, that a first guess assumes


class Layers(NamedTuple):
    """What a mark is made of.

    Attributes:
        alpha: Opacity, (h, w) in 0..1.
        paint: Opacity times colour, (h, w, 3).
    """

    alpha: Floats
    paint: Floats


def first_guess(stack: Stack, area: Mask) -> Layers:
    """Compares what pictures show beneath a mark with what goes on from around it.

    Over pictures, ``x = (1 - a) c + b`` is a line; c is guessed by inpainting (Bertalmio et al., "Navier-Stokes, fluid
    dynamics, and image and video inpainting", CVPR 2001). A guess is the worse the farther it is from the rim, which
    makes the line flatter: how much, is measured where the same hole lies in the mirrored pictures.

    Args:
        stack: Pictures with a margin around the mark.
        area: Where it is, (h, w).
    """
    hole = area.astype(np.uint8)
    slope, seen, guessed = _line(stack, hole)
    mirrored, _, _ = _line(np.ascontiguousarray(stack[:, ::-1, ::-1]), hole)
    depth = np.minimum(cv2.distanceTransform(hole, cv2.DIST_L2, 3).astype(int), DEEPEST)
    elsewhere, factor, factors = area & ~area[::-1, ::-1], 1.0, np.ones(DEEPEST + 1)
    for deep in range(1, DEEPEST + 1):
        here = elsewhere & (depth == deep)
        factor = float(np.clip(mirrored[here].mean(), 0.5, 1)) if here.sum() > 10 else factor
        factors[deep] = factor
    left = np.where(area, np.clip(slope / factors[depth], LEAST_LEFT, 1), 1).astype(np.float32)
    paint = (seen - left[..., None] * guessed) * area[..., None]
    return Layers(1 - left, paint.astype(np.float32))


def _line(stack: Stack, hole: npt.NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
    """Returns the slope of a line from what is guessed to what is seen, (h, w), and the means of both, (h, w, 3)."""
    total, other = np.zeros((2, *stack.shape[1:])), np.zeros((2, *stack.shape[1:3]))
    for picture in stack:
        seen = picture / 255
        guess = cv2.inpaint(picture, hole, 5, cv2.INPAINT_NS) / 255
        total += seen, guess
        other += (seen * guess).sum(axis=-1), (guess**2).sum(axis=-1)
    mean_seen, mean_guess = total / len(stack)
    products, squares = other / len(stack)
    shared = cv2.blur(products - (mean_seen * mean_guess).sum(axis=-1), (3, 3))
    spread = cv2.blur(squares - (mean_guess**2).sum(axis=-1) + 1e-4, (3, 3))
    return (shared / spread).astype(np.float32), mean_seen.astype(np.float32), mean_guess.astype(np.float32)


def refined(stack: Stack, area: Mask, guess: Layers, halo: Mask | None = None, steps: int = STEPS) -> Layers:
    """Finds the opacity and paint beneath which the pictures are likeliest, from a first guess on.

    What is minimised is :func:`wm_lightning.mark.likelihood.energy` of all gradients, a mean over pictures, of these
    and of their means in blocks of some pixels, the layers' total variation, and how far the paint is from the nearest
    of a few colours, which most marks have; over the opacity's logit and the paint, by Adam. Without the last, few
    pictures, and wide areas in which they are flat, say little of both at once.

    Beneath a mark photographs are rougher than around it: it often lies on what they show, and the noise of rounding
    and JPEG is divided by 1 - a. How much is found along with it, or wide areas would be taken for less opaque; at the
    rim, where the opacity shows, they are taken to be as rough as around it.

    Where it fades out softly, its opacity is taken to be small, or a wide faint veil would be found where none is.

    Args:
        stack: Pictures with a margin around the mark.
        area: Where it is, (h, w).
        guess: To begin with.
        halo: Where it fades out, (h, w); None: nowhere.
        steps: Of Adam; the last three tenths with a fifth of the rate.

    Returns:
        Layers of the area's :func:`window` with ``MARGIN``.
    """
    scales = [torch.tensor([_scale(one, area, size) for one in stack])[:, None, None, None] for size in SIZES]
    rows, columns = window(area, MARGIN)
    stack, area, guess = stack[:, rows, columns], area[rows, columns], Layers(*(part[rows, columns] for part in guess))
    pictures = torch.from_numpy(np.ascontiguousarray(stack)).permute(0, 3, 1, 2)
    inside = torch.from_numpy(area.astype(np.float32))
    logit = torch.logit(torch.from_numpy(guess.alpha).clamp(0.02, 0.95)).requires_grad_()
    paint = torch.from_numpy(guess.paint).permute(2, 0, 1).contiguous().requires_grad_()
    fades = torch.zeros_like(inside) if halo is None else torch.from_numpy(halo[rows, columns].astype(np.float32))
    deep = torch.from_numpy(cv2.erode(area.astype(np.uint8), INNER).astype(np.float32))
    rougher = torch.zeros(len(SIZES), requires_grad=True)
    optimizer = torch.optim.Adam(
        [{"params": [part], "lr": rate} for part, rate in zip((logit, paint, rougher), RATES, strict=True)]
    )
    slower = torch.optim.lr_scheduler.MultiStepLR(optimizer, [int(0.7 * steps)], 0.2)
    generator = torch.Generator().manual_seed(0)
    at_once = max(4, VALUES // pictures[0].numel())
    for step in range(steps):
        alpha, own = torch.sigmoid(logit) * inside, paint * inside
        if step % RECOLOURED == 0:
            colours = torch.from_numpy(
                colours_of(Layers(alpha.detach().numpy(), own.detach().permute(1, 2, 0).numpy()))
            )
        chosen = torch.randperm(len(stack), generator=generator)[:at_once]
        beneath = (pictures[chosen].float() / 255 - own) / (1 - alpha)
        loss = _prior(alpha, own) + ALIKE * _apart(alpha, own, colours) + _beyond(beneath)
        loss = loss + FAINT * (alpha * fades).sum()
        for scale, size, times in zip(scales, SIZES, rougher.exp(), strict=True):
            loss = loss + _energy(beneath, alpha, deep, scale[chosen], size, times, 1 - FITTED / len(stack))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        slower.step()
    with torch.no_grad():
        alpha, own = torch.sigmoid(logit) * inside, paint * inside
    return Layers(alpha.numpy(), own.permute(1, 2, 0).contiguous().numpy())


def colours_of(layers: Layers) -> Floats:
    """Returns the few colours that the more opaque half of a mark is nearest to, (k, 3) in 0..1, by k-means.

    Those that hardly differ are put together: a colour that is cut into its noise's parts would be found too dark.
    The clusters begin as equal parts of the pixels from dark to light, so that equal marks have equal colours.
    """
    opaque = layers.alpha > 0.5 * np.quantile(layers.alpha[layers.alpha > 0], 0.95)
    found = (layers.paint[opaque] / layers.alpha[opaque][:, None]).astype(np.float32)
    if len(found) < COLOURS:
        return np.asarray(found.clip(0, 1), np.float32)
    labels = np.empty((len(found), 1), np.int32)
    labels[found.sum(axis=1).argsort(kind="stable"), 0] = np.arange(len(found)) * COLOURS // len(found)
    ending = cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 30, 1e-3
    _, nearest, _ = cv2.kmeans(found, COLOURS, labels, ending, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    groups = [group for number in range(COLOURS) if len(group := found[np.asarray(nearest)[:, 0] == number])]
    while True:
        colours = np.stack([np.median(group, axis=0) for group in groups]).clip(0, 1).astype(np.float32)
        distances = np.linalg.norm(colours[:, None] - colours, axis=-1) + 2 * np.tri(len(colours))
        one, other = np.unravel_index(int(distances.argmin()), distances.shape)
        if distances[one, other] > DIFFERENT:
            return colours
        groups[one] = np.concatenate((groups[one], groups.pop(int(other))))


def _apart(alpha: Tensor, paint: Tensor, colours: Tensor) -> Tensor:
    """Returns the sum of the paint's distances from the nearest of some colours, (k, 3)."""
    distances = (paint - alpha * colours[..., None, None]).square().sum(dim=1)
    return (distances + NEAR**2).sqrt().amin(dim=0).sum()


def window(area: Mask, margin: int) -> tuple[slice, slice]:
    """Returns the rows and columns that an area, (H, W), lies in, with a margin as far as there is one."""
    rows, columns = np.nonzero(area)
    return (
        slice(max(int(rows.min()) - margin, 0), int(rows.max()) + margin + 1),
        slice(max(int(columns.min()) - margin, 0), int(columns.max()) + margin + 1),
    )


def _scale(picture: npt.NDArray[np.uint8], area: Mask, size: int) -> float:
    """Returns the scale of a picture's gradients around a mark, of the means of blocks of a size."""
    means = reduced(picture.astype(np.float32) / np.float32(255), size)
    return scale_around(means, reduced(area.astype(np.float32), size) > 0)


def _energy(
    beneath: Tensor, alpha: Tensor, deep: Tensor, scale: Tensor, size: int, rougher: Tensor, free: float
) -> Tensor:
    """Returns how unlikely pictures are beneath a mark, by the gradients of means in blocks; a mean over pictures.

    Args:
        beneath: (N, 3, h, w).
        alpha: Opacity, (h, w).
        deep: Where pixels lie within the mark, its rim aside, (h, w), 1 or 0.
        scale: Of the gradients of such means around the mark, (N, 1, 1, 1).
        size: Of the blocks; those that reach out are left out.
        rougher: How many times as large the scale is there.
        free: Share of the data that is left when the layers are fitted to it, which makes pictures smoother.
    """
    if size > 1:
        block = [min(size, side) for side in alpha.shape]
        beneath, alpha, deep = (avg_pool2d(one, block) for one in (beneath, alpha[None], deep[None]))
    energy = 6 * free * torch.log(1 - alpha).sum()
    covered = deep.squeeze(0) > 0
    pairs = covered[:, 1:] & covered[:, :-1], covered[1:] & covered[:-1]
    for gradient, both in zip(_differences(beneath), pairs, strict=True):
        times = torch.where(both, rougher, 1)
        energy = energy + 3 * torch.log(times).sum() + torch.log1p((gradient / (times * scale)) ** 2).mean(dim=0).sum()
    return energy


def _beyond(beneath: Tensor) -> Tensor:
    """Returns how far pictures, (N, 3, h, w), leave 0..1; a mean over them."""
    return 50 * ((beneath - 1).clamp(min=0) ** 2 + (-beneath).clamp(min=0) ** 2).mean(dim=0).sum()


def _prior(alpha: Tensor, paint: Tensor) -> Tensor:
    """Returns the layers' total variation."""
    across, down = _differences(torch.cat((paint, 3 * alpha[None])))
    return SMOOTH * (across.abs().sum() + down.abs().sum())


def _differences(maps: Tensor) -> tuple[Tensor, Tensor]:
    return maps[..., :, 1:] - maps[..., :, :-1], maps[..., 1:, :] - maps[..., :-1, :]


def step_left(stack: Stack, area: Mask, layers: Layers) -> tuple[float, float]:
    """Returns how much lighter a mark's place is than its surroundings once it is undone, and how sure that is.

    A mark with a soft halo, whose ends no gradient shows, is measured too light or too dark, in all pictures alike.
    Only what is near its rim is compared: farther away, photographs are of themselves darker or lighter than there.

    Args:
        stack: Pictures with a margin around the mark.
        area: Where it is, (h, w).
        layers: Of its :func:`window` with ``MARGIN``.

    Returns:
        Mean over pictures and its standard error, in units of 0..1 pictures.
    """
    rows, columns = window(area, MARGIN)
    deep, away = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 3) for part in (area, ~area))
    inside, around = (area & (deep <= DEEP))[rows, columns], (away > APART[0]) & (away <= APART[1])
    if not around.any():
        return 0.0, 1.0
    steps = []
    for picture in stack:
        beneath = (picture[rows, columns] / 255 - layers.paint) / (1 - layers.alpha[..., None])
        steps.append(float(beneath[inside].mean() - picture[around].mean() / 255))
    return float(np.mean(steps)), float(np.std(steps) / np.sqrt(len(steps)))


def noise_of(layers: Layers, pictures: int) -> Floats:
    """Returns the standard error of what is recovered beneath, (h, w), in units of 0..1 pictures.

    Rounding to 8 bits, divided by what is left of the picture; and of the layers themselves, which are known to as much
    as the rounding and ``NOISE`` of so many pictures, likewise.
    """
    rounding = 1 / (255 * np.sqrt(12))
    each = np.sqrt(rounding**2 + NOISE**2 / pictures)
    return np.asarray(each / (1 - layers.alpha), np.float32)
