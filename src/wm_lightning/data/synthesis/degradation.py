"""What scans, cameras and websites do to a whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from wm_lightning.data.synthesis.ranges import checked_range, checked_share, within
from wm_lightning.data.synthesis.spec import DegradationSpec

Picture = npt.NDArray[np.uint8]


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
    ) -> None:
        where = "synthesis.degradation"
        shares = {"share": share, "tone": tone, "moire": moire, "blur": blur, "resample": resample, "jpeg": jpeg}
        self.shares = {name: checked_share(f"{where}.{name}", value) for name, value in shares.items()}
        self.full_chroma = checked_share(f"{where}.full_chroma", full_chroma)
        self.contrast = checked_range(f"{where}.contrast", contrast, 0, 4)
        self.brightness = checked_range(f"{where}.brightness", brightness, -255, 255)
        self.moire_strength = checked_range(f"{where}.moire_strength", moire_strength, 0, 64)
        self.blur_sigma = checked_range(f"{where}.blur_sigma", blur_sigma, 0, 10)
        self.resample_scale = checked_range(f"{where}.resample_scale", resample_scale, 0.05, 1)
        self.jpeg_quality = checked_range(f"{where}.jpeg_quality", jpeg_quality, 1, 100)

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
        if spec.jpeg is not None and self.full_chroma and generator.random() < self.full_chroma:
            spec = replace(spec, full_chroma=True)
        return None if spec == DegradationSpec() else spec

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
    if spec.jpeg is not None:
        # OpenCV takes channels in the order blue, green, red; JPEG treats red and blue differently.
        how = [cv2.IMWRITE_JPEG_QUALITY, spec.jpeg]
        if spec.full_chroma:
            how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        _, data = cv2.imencode(".jpg", cv2.cvtColor(out, cv2.COLOR_RGB2BGR), how)
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
        assert decoded is not None
        out = decoded
    return np.asarray(out, dtype=np.uint8)


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
