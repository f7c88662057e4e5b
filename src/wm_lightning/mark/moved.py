"""Puts pictures upon each other that have one mark at changing places, by phase correlation of their gradients.

Kuglin and Hines, "The phase correlation image alignment method", 1975: once all waves of two pictures are equally
strong, what they have in common is a peak of their correlation, at how far it is moved from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy.fft import fft2, fftfreq, ifft2, next_fast_len

from wm_lightning.mark.anchors import part_from, resized
from wm_lightning.mark.known import Place
from wm_lightning.mark.likelihood import cauchy_scale

Picture = npt.NDArray[np.uint8]
Spectrum = npt.NDArray[np.complex64]
Shift = tuple[int, int]

LIMIT = 2  # scales of a picture's gradients, beyond which they are cut: its own are far stronger than a mark's
LEAST_LIMIT = 0.02  # of 1, so that noise does not count as much as edges
PERIODS = 1 / 24, 0.35  # of waves for each pixel: those of strokes, not of shades and not of noise
SURE = 1.5  # times as high as the next one is a peak that counts; of photographs that share nothing, up to 1.3 times
THIN = 8  # side of pictures, below which a mark cannot be told on them
BESIDE = 4  # pixels around a peak that belong to it
STARTS = 4  # pictures, with each of which the others are compared
ROUNDS = 3


class Moved(NamedTuple):
    """A way to put pictures upon each other: each is moved by a shift of its own.

    Attributes:
        shifts: How far down and to the right a picture has the mark from where the stack has it, by its number.
        size: Height and width of the stack, those of one of the pictures.
        width: Pictures are first resized to it; None: they keep their sizes.
    """

    shifts: Mapping[int, Shift]
    size: tuple[int, int]
    width: int | None = None

    def stacked(self, pictures: Sequence[Picture]) -> Picture:
        """Returns those of the pictures that have a shift, upon each other, (N, H, W, C)."""
        return np.stack([self.framed(pictures[number], number, self.size) for number in self.shifts])

    def framed(self, picture: Picture, number: int, size: tuple[int, int]) -> Picture:
        """Returns a picture (H, W, C) as the stack has it, (*size, C); beyond its edges they go on."""
        return part_from(resized(picture, self.width), self.shifts[number], size)

    def enlarged(self, times: float) -> Moved:
        """Returns the same way for pictures so many times as large."""
        shifts = {
            number: (round(times * down), round(times * across)) for number, (down, across) in self.shifts.items()
        }
        width = None if self.width is None else round(times * self.width)
        return Moved(shifts, (round(times * self.size[0]), round(times * self.size[1])), width)

    def place(self, corner: tuple[int, int], size: tuple[int, int]) -> Place:
        """Returns that the mark is anywhere."""
        return Place(width=self.width)


def moved(pictures: Sequence[Picture], width: int | None = None) -> Moved | None:
    """Finds how pictures lie upon each other, so that a mark that they share does.

    Two halves of them are put upon each other separately, and what each half then shares must be the same: what one
    picture alone has, all others can be moved to be somewhat like.

    Args:
        pictures: (H, W, 1), of any sizes; thin ones are left out.
        width: That they are first resized to; None: they keep their sizes.

    Returns:
        None where they share nothing that is sure.
    """
    pictures = [resized(one, width) for one in pictures]
    numbers = [number for number, one in enumerate(pictures) if min(one.shape[:2]) >= THIN]
    if len(numbers) < 2:
        return None
    sizes = [pictures[number].shape[:2] for number in numbers]
    size = tuple(next_fast_len(2 * max(sides)) for sides in zip(*sizes, strict=True))
    spectra = [_spectrum(pictures[number], size) for number in numbers]
    (start, pattern), (_, other) = (_gathered(half) for half in (spectra[::2], spectra[1::2]))
    height, shift = _peak(pattern, other)
    if height < SURE:
        return None
    pattern = pattern + _back(other, shift)
    peaks = {number: _peak(pattern, one) for number, one in zip(numbers, spectra, strict=True)}
    shifts = {number: shift for number, (height, shift) in peaks.items() if height > SURE}
    return Moved(shifts, sizes[2 * start], width)


def settled(stack: Picture, reach: int) -> Picture:
    """Moves pictures by some pixels, so that what they share lies more exactly upon each other.

    Args:
        stack: (N, H, W, 3), most of them within reach of their place.
        reach: How many pixels a picture is moved at most; where it would be more, it stays.

    Returns:
        Likewise.
    """
    # Full pictures are large: no more is added to their sides than shifts within reach need.
    size = tuple(next_fast_len(side + 2 * reach) for side in stack.shape[1:3])
    spectra = [_spectrum(np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY))[..., None], size) for one in stack]
    _, pattern = _gathered(spectra, reach)
    peaks = {number: _peak(pattern, one, reach) for number, one in enumerate(spectra)}
    shifts = {number: shift for number, (height, shift) in peaks.items() if height > 1}  # the highest of all
    if not shifts:
        return stack
    middle = tuple(int(one) for one in np.median(list(shifts.values()), axis=0))
    off = {number: (down - middle[0], across - middle[1]) for number, (down, across) in shifts.items()}
    near = {number: shift for number, shift in off.items() if max(map(abs, shift)) <= reach}
    stays = dict.fromkeys(range(len(stack)), (0, 0))
    return Moved({**stays, **near}, (stack.shape[1], stack.shape[2])).stacked(list(stack))


def _spectrum(picture: Picture, size: tuple[int, ...]) -> Spectrum:
    """Returns the phases of a picture's gradients, of which those down are imaginary."""
    grey = picture[..., 0].astype(np.float32) / np.float32(255)
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    limit = max(LIMIT * cauchy_scale(np.concatenate((across.ravel(), down.ravel()))), LEAST_LIMIT)
    waves = np.asarray(fft2(np.clip(across, -limit, limit) + 1j * np.clip(down, -limit, limit), size), np.complex64)
    strengths = np.abs(waves)
    frequencies = np.hypot(fftfreq(size[0])[:, None], fftfreq(size[1]))
    kept = (frequencies >= PERIODS[0]) & (frequencies <= PERIODS[1])
    return np.asarray(kept * waves / (strengths + 1e-3 * strengths.mean() + 1e-12), np.complex64)


def _gathered(spectra: Sequence[Spectrum], reach: float = np.inf) -> tuple[int, Spectrum]:
    """Returns the number of the picture with which most others share something, and the sum of these, moved upon it.

    The sum is 0 where no peak is sure, as of blank pictures, or of a pattern that repeats itself.
    """
    numbers = np.unique(np.linspace(0, len(spectra) - 1, STARTS).astype(int))

    def sharing(number: int) -> int:
        return sum(_peak(spectra[number], one, reach)[0] > SURE for one in spectra)

    start = max((int(one) for one in numbers), key=sharing)
    pattern = spectra[start]
    for _ in range(ROUNDS):
        total = np.zeros_like(pattern)
        for one in spectra:
            height, shift = _peak(pattern, one, reach)
            if height > SURE:
                total += _back(one, shift)
        pattern = total
    return start, pattern


def _peak(pattern: Spectrum, other: Spectrum, reach: float = np.inf) -> tuple[float, Shift]:
    """Returns a correlation's peak within reach: how many times as high as what is beside it, and where it is.

    What is beside it is sought everywhere, so that of a few shifts within reach one is not sure by chance.
    """
    correlation = ifft2(np.conj(pattern) * other).real
    shifts = [np.rint(fftfreq(side, 1 / side)).astype(int) for side in correlation.shape]
    rows, columns = (each[np.abs(each) <= reach] for each in shifts)
    near = correlation[np.ix_(rows, columns)]  # shifts up or to the left count from the end, as negative indices do
    at = np.unravel_index(int(near.argmax()), near.shape)
    shift, height = (int(rows[at[0]]), int(columns[at[1]])), float(near[at])
    beside = np.arange(-BESIDE, BESIDE + 1)
    correlation[np.ix_(*((by + beside) % side for by, side in zip(shift, correlation.shape, strict=True)))] = 0
    return height / max(float(correlation.max()), 1e-12), shift


def _back(spectrum: Spectrum, shift: Shift) -> Spectrum:
    """Returns the spectrum of a picture that is moved up and to the left."""
    down, across = (
        np.exp(2j * np.pi * by * fftfreq(side)).astype(np.complex64)
        for by, side in zip(shift, spectrum.shape, strict=True)
    )
    return np.asarray(spectrum * down[:, None] * across, np.complex64)
