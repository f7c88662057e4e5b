"""What scans, cameras and websites do to a whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from math import prod, sqrt
from typing import get_args

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike
from PIL import Image

from wm_lightning.data.synthesis.ranges import checked_range, checked_share, within
from wm_lightning.data.synthesis.spec import DegradationSpec, Kernel

Picture = npt.NDArray[np.uint8]

KERNELS: tuple[Kernel, ...] = get_args(Kernel)
SPREAD = sqrt((256**2 - 1) / 6)  # standard deviation of the sum of two bytes
INTERPOLATIONS = {"area": cv2.INTER_AREA, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


class DegradationSampler:
    """Draws what happens to a picture; ranges are inclusive (low, high) and uniform.

    Args:
        share: Share of the pairs to which anything happens; to these, each of the others by its own share.
        tone: Share with another contrast and brightness.
        contrast: Factor around middle grey.
        brightness: Added, in grey levels.
        moire: Share with a fine pattern of stripes.
        moire_strength: Its amplitude in grey levels.
        blur: Share blurred.
        blur_sigma: Standard deviation in pixels.
        resample: Share reduced and enlarged again.
        resample_scale: To which part of the size.
        jpeg: Share compressed.
        jpeg_quality: From 1 to 100.
        full_chroma: Share of the compressed ones whose colours keep their resolution (4:4:4); the others' is halved
            (4:2:0).
        twice: Share of the JPEG compressed ones that were compressed once before, at a quality of the same range.
        webp: Share compressed as WebP; before the JPEG, where both happen.
        webp_quality: From 1 to 100.
        screen: Share shown at another size and brought back, by one of the three kernels that programs scale with.
        screen_scale: That size; above 1 it is enlarged first.
        sharpen: Share sharpened by unsharp masking, as cameras, websites and programs do after they scale.
        sharpen_amount: How many times the difference from the blurred picture is added.
        sharpen_sigma: Standard deviation of that blur in pixels.
        noise: Share with noise.
        noise_sigma: Its standard deviation in grey levels.

    Raises:
        UserError: A range or share is out of bounds.
    """

    def __init__(
        self,
        share: float = 0.25,
        tone: float = 0.4,
        contrast: Sequence[float] = (0.8, 1.2),
        brightness: Sequence[float] = (-20, 20),
        moire: float = 0.1,
        moire_strength: Sequence[float] = (2, 6),
        blur: float = 0.25,
        blur_sigma: Sequence[float] = (0.3, 1.0),
        resample: float = 0.25,
        resample_scale: Sequence[float] = (0.5, 0.9),
        jpeg: float = 0.6,
        jpeg_quality: Sequence[int] = (50, 95),
        full_chroma: float = 0.0,
        twice: float = 0.0,
        webp: float = 0.0,
        webp_quality: Sequence[int] = (50, 95),
        screen: float = 0.0,
        screen_scale: Sequence[float] = (0.6, 1.5),
        sharpen: float = 0.0,
        sharpen_amount: Sequence[float] = (0.3, 2.0),
        sharpen_sigma: Sequence[float] = (0.5, 1.5),
        noise: float = 0.0,
        noise_sigma: Sequence[float] = (0.5, 4),
    ) -> None:
        where = "synthesis.degradation"
        shares = {"share": share, "tone": tone, "moire": moire, "blur": blur, "resample": resample, "jpeg": jpeg}
        shares |= {"full_chroma": full_chroma, "twice": twice, "webp": webp, "screen": screen, "noise": noise}
        shares |= {"sharpen": sharpen}
        self.shares = {name: checked_share(f"{where}.{name}", value) for name, value in shares.items()}
        self.contrast = checked_range(f"{where}.contrast", contrast, 0, 4)
        self.brightness = checked_range(f"{where}.brightness", brightness, -255, 255)
        self.moire_strength = checked_range(f"{where}.moire_strength", moire_strength, 0, 64)
        self.blur_sigma = checked_range(f"{where}.blur_sigma", blur_sigma, 0, 10)
        self.resample_scale = checked_range(f"{where}.resample_scale", resample_scale, 0.05, 1)
        self.jpeg_quality = checked_range(f"{where}.jpeg_quality", jpeg_quality, 1, 100)
        self.webp_quality = checked_range(f"{where}.webp_quality", webp_quality, 1, 100)
        self.screen_scale = checked_range(f"{where}.screen_scale", screen_scale, 0.1, 4)
        self.sharpen_amount = checked_range(f"{where}.sharpen_amount", sharpen_amount, 0, 10)
        self.sharpen_sigma = checked_range(f"{where}.sharpen_sigma", sharpen_sigma, 0.1, 10)
        self.noise_sigma = checked_range(f"{where}.noise_sigma", noise_sigma, 0, 64)

    def __call__(self, generator: np.random.Generator) -> DegradationSpec | None:
        """Draws one degradation; None where nothing happens."""

        def happens(name: str) -> bool:
            return bool(generator.random() < self.shares[name])

        if not happens("share"):
            return None
        tone = happens("tone")
        spec = DegradationSpec(
            contrast=within(self.contrast, generator) if tone else 1.0,
            brightness=within(self.brightness, generator) if tone else 0.0,
            moire=self._moire(generator) if happens("moire") else None,
            blur=within(self.blur_sigma, generator) if happens("blur") else 0.0,
            resample=within(self.resample_scale, generator) if happens("resample") else 1.0,
            jpeg=round(within(self.jpeg_quality, generator)) if happens("jpeg") else None,
        )
        spec = self._further(spec, generator)
        return None if spec == DegradationSpec() else spec

    def _further(self, spec: DegradationSpec, generator: np.random.Generator) -> DegradationSpec:
        """Adds what came later; what has a share of 0 draws no number, so that equal seeds still give equal marks."""

        def happens(name: str) -> bool:
            return bool(self.shares[name] and generator.random() < self.shares[name])

        if spec.jpeg is not None and happens("full_chroma"):
            spec = replace(spec, full_chroma=True)
        if spec.jpeg is not None and happens("twice"):
            spec = replace(spec, first_jpeg=round(within(self.jpeg_quality, generator)))
        if happens("webp"):
            spec = replace(spec, webp=round(within(self.webp_quality, generator)))
        if happens("screen"):
            kernel = KERNELS[int(generator.integers(len(KERNELS)))]
            spec = replace(spec, screen=(within(self.screen_scale, generator), kernel))
        if happens("noise"):
            spec = replace(spec, noise=(within(self.noise_sigma, generator), int(generator.integers(2**31))))
        if happens("sharpen"):
            amount, sigma = within(self.sharpen_amount, generator), within(self.sharpen_sigma, generator)
            spec = replace(spec, sharpen=(amount, sigma))
        return spec

    def _moire(self, generator: np.random.Generator) -> tuple[float, float, float]:
        strength, period = within(self.moire_strength, generator), within((2.2, 6), generator)
        return strength, period, within((0, 180), generator)


def degrade(picture: Picture, spec: DegradationSpec) -> Picture:
    """Applies a degradation to (H, W, 3) uint8; equal specs change equal pictures equally."""
    height, width = picture.shape[:2]
    out: MatLike = picture
    if spec.contrast != 1 or spec.brightness:
        levels = (np.arange(256) - 127.5) * spec.contrast + 127.5 + spec.brightness
        out = cv2.LUT(out, (levels + 0.5).clip(0, 255).astype(np.uint8))
    if spec.moire is not None:
        out = _striped(np.asarray(out, dtype=np.uint8), *spec.moire)
    if spec.blur:
        out = cv2.GaussianBlur(out, (0, 0), spec.blur)
    if spec.resample != 1:
        smaller = max(1, round(width * spec.resample)), max(1, round(height * spec.resample))
        out = cv2.resize(out, smaller, interpolation=cv2.INTER_LINEAR)
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_CUBIC)
    if spec.screen is not None:
        scale, kernel = spec.screen
        shown = max(1, round(width * scale)), max(1, round(height * scale))
        for size in (shown, (width, height)):
            out = cv2.resize(out, size, interpolation=INTERPOLATIONS[kernel])
    if spec.sharpen is not None:
        amount, sigma = spec.sharpen
        out = cv2.addWeighted(out, 1 + amount, cv2.GaussianBlur(out, (0, 0), sigma), -amount, 0)
    if spec.noise is not None:
        out = cv2.add(out, _noise(out.shape, *spec.noise), dtype=cv2.CV_8U)
    if spec.webp is not None:
        out = _webp(out, spec.webp)
    if spec.first_jpeg is not None:
        out = _jpeg(out, spec.first_jpeg)
    if spec.jpeg is not None:
        out = _jpeg(out, spec.jpeg, spec.full_chroma)
    return np.asarray(out, dtype=np.uint8)


def _webp(picture: MatLike, quality: int) -> MatLike:
    # Pillow can be told to spend the least effort, which OpenCV cannot.
    data = BytesIO()
    Image.fromarray(np.asarray(picture, dtype=np.uint8)).save(data, "webp", quality=quality, method=0)
    with Image.open(data) as decoded:
        return np.array(decoded.convert("RGB"))


def _jpeg(picture: MatLike, quality: int, full_chroma: bool = False) -> MatLike:
    # OpenCV takes channels in the order blue, green, red; JPEG treats red and blue differently.
    how = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if full_chroma:
        how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), how)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None
    return decoded


@lru_cache(maxsize=1)  # two views and the clean picture have the same
def _noise(shape: tuple[int, ...], sigma: float, seed: int) -> npt.NDArray[np.float32]:
    # The sum of two uniform bytes is near enough to a Gaussian, and many times faster to draw.
    first, second = np.frombuffer(np.random.default_rng(seed).bytes(2 * prod(shape)), dtype=np.uint8).reshape(2, *shape)
    levels = np.asarray(cv2.add(first, second, dtype=cv2.CV_32F), dtype=np.float32)
    levels -= 255
    levels *= sigma / SPREAD
    return levels


def _striped(picture: Picture, strength: float, period: float, angle: float) -> Picture:
    turn = np.deg2rad(angle)
    across, down = (
        2 * np.pi / period * share * np.arange(side)
        for share, side in ((np.cos(turn), picture.shape[1]), (np.sin(turn), picture.shape[0]))
    )
    # cos(a + b) = cos a cos b - sin a sin b: a cosine a row and a column instead of one a pixel.
    stripes = np.outer(np.cos(down), np.cos(across)) - np.outer(np.sin(down), np.sin(across))
    grey = np.asarray(strength * stripes, dtype=np.float32)
    striped: Picture = np.asarray(cv2.add(picture, cv2.merge([grey, grey, grey]), dtype=cv2.CV_8U), dtype=np.uint8)
    return striped
