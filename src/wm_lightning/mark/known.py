"""A mark that is known: its opacity and colour, where pictures have it, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.commands import program, shell
from wm_lightning.errors import ArgumentError, UserError, writable
from wm_lightning.files import replacing

Floats = npt.NDArray[np.float32]
VERSION = 1  # of the file; a change that older code would read wrongly makes it greater
KEY = "wm_lightning_mark"  # in the file's metadata
OPAQUE = 0.85  # opacity from which too little shines through to be recovered
VISIBLE = 0.02  # opacity, or change of a value, that counts as mark


@dataclass(frozen=True)
class Place:
    """Where pictures have a mark.

    Attributes:
        anchor: The point that it keeps its distance from, in shares of a picture's height and width: 0, 0.5 or 1 each;
            None for anywhere.
        offset: From there to its top left corner, down and to the right, in pixels (of a picture of ``width``).
        width: Of pictures on which the mark has its own size, in pixels, since it grows with them; None: it does not.
    """

    anchor: tuple[float, float] | None = None
    offset: tuple[float, float] = (0.0, 0.0)
    width: int | None = None

    def scale_on(self, size: tuple[int, int]) -> float:
        """Returns how large the mark is on a picture of a height and width, 1 for its own size."""
        return 1.0 if self.width is None else size[1] / self.width

    def corner_on(self, size: tuple[int, int]) -> tuple[float, float] | None:
        """Returns row and column of its top left corner on a picture of a height and width; None for anywhere."""
        if self.anchor is None:
            return None
        scale = self.scale_on(size)
        row, column = (
            share * side + scale * away for share, side, away in zip(self.anchor, size, self.offset, strict=True)
        )
        return row, column

    def told(self) -> str:
        """Says it in words."""
        size = "of one size" if self.width is None else "growing with the picture"
        if self.anchor is None:
            return f"anywhere, {size}"
        down, across = (("top", "middle", "bottom"), ("left", "centre", "right"))
        words = f"{down[round(2 * self.anchor[0])]} {across[round(2 * self.anchor[1])]}"
        return f"at the {words}, {size}"


@dataclass(frozen=True)
class Spread:
    """How pictures differ in how they have a mark: ranges (least, most).

    Attributes:
        scale: Of its size, as a share of its own.
        strength: Of its opacity, likewise.
        jpeg: Share of the pictures that are JPEG files.
        jpeg_quality: Of these, 1..100.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    strength: tuple[float, float] = (1.0, 1.0)
    jpeg: float = 0.5
    jpeg_quality: tuple[int, int] = (60, 95)


@dataclass(frozen=True)
class KnownMark:
    """A mark that pictures share: ``x = (1 - a) c + b`` with opacity a and paint b, the opacity times the colour.

    Attributes:
        alpha: The opacity, (h, w) float32 in 0..1.
        paint: (h, w, 3) float32, sRGB; a mark that only brightens has paint without opacity.
        noise: Standard error of what is recovered beneath, (h, w) float32, in units of 0..1 pictures; 0 if exact.
        place: Where pictures have it.
        pictures: How many were looked at; 0 where it was not estimated.
        carriers: How many of these carry it.
        agreement: Correlation of the mark's gradients in one half of the pictures with those in the other, -1..1.
        spread: How pictures differ in how they have it; a guess where it was not estimated.
    """

    alpha: Floats
    paint: Floats
    noise: Floats
    place: Place = Place()
    pictures: int = 0
    carriers: int = 0
    agreement: float = 1.0
    spread: Spread = Spread()

    @property
    def peak(self) -> float:
        """Its largest opacity, or paint where that is more."""
        return float(max(self.alpha.max(initial=0), self.paint.max(initial=0)))

    @property
    def area(self) -> npt.NDArray[np.bool_]:
        """Where it changes a picture visibly, (h, w)."""
        area: npt.NDArray[np.bool_] = np.maximum(self.alpha, np.abs(self.paint).max(axis=-1)) > VISIBLE
        return area

    def told(self) -> str:
        """Says in words what it is."""
        height, width = self.alpha.shape
        area = self.area
        words = [
            f"{width}x{height} pixels, {self.place.told()}",
            f"opacity {self.alpha[area].mean():.2f} (at most {self.alpha.max():.2f})" if area.any() else "empty",
        ]
        if self.pictures:
            words.append(f"on {self.carriers} of {self.pictures} pictures, whose halves agree to {self.agreement:.2f}")
            words.append(f"what is beneath is known to {255 * self.noise[area].mean():.1f} of 255")
        if (self.alpha > OPAQUE).any():
            words.append(f"{(self.alpha[area] > OPAQUE).mean():.0%} of it hides the picture and is painted over")
        return "; ".join(words)


def save_mark(mark: KnownMark, path: Path) -> None:
    """Writes a mark's file, and a preview beside it, ``PATH.png``.

    The file is safetensors: ``alpha``, ``paint`` and ``noise`` as :class:`KnownMark` has them, and all else as JSON in
    the metadata.

    Raises:
        UserError: The place cannot be written to.
    """
    facts = {
        "version": VERSION,
        "place": asdict(mark.place),
        "pictures": mark.pictures,
        "carriers": mark.carriers,
        "agreement": mark.agreement,
        "spread": asdict(mark.spread),
    }
    from safetensors.numpy import save_file  # see load_mark

    arrays = {name: np.ascontiguousarray(getattr(mark, name), np.float32) for name in ("alpha", "paint", "noise")}
    with writable(path):
        with replacing(path) as draft:
            save_file(arrays, draft, metadata={KEY: json.dumps(facts)})
            draft.chmod(0o644)  # the library writes files that only their owner can read
        with replacing(preview_of(path)) as draft:
            Image.fromarray(preview(mark)).save(draft)


def preview_of(path: Path) -> Path:
    """Returns where the preview of a mark's file is."""
    return path.with_name(f"{path.name}.png")


def load_mark(path: str | Path) -> KnownMark:
    """Reads a mark's file.

    Raises:
        UserError: It is not there, damaged, another kind of file, or of a newer version.
    """
    if not Path(path).is_file():
        make = shell(*program("mark"), "estimate", "FOLDER", "-o", str(path))
        raise UserError(f"There is no file {path}; make one: {make}")
    # Whoever runs ONNX Runtime, without a mark's file, needs not have it.
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as a mark; it is damaged or another kind of file.") from error
    if KEY not in metadata:
        raise UserError(f"{path} holds no mark; give a file that wm-mark wrote.")
    try:
        facts = json.loads(metadata[KEY])
        if facts["version"] > VERSION:
            raise UserError(f"{path} is of version {facts['version']}, newer than this program; update wm-lightning.")
        place = facts["place"]
        anchor = None if place["anchor"] is None else (float(place["anchor"][0]), float(place["anchor"][1]))
        where = Place(anchor, (float(place["offset"][0]), float(place["offset"][1])), place["width"])
        counts = int(facts["pictures"]), int(facts["carriers"]), float(facts["agreement"])
        spread = _spread(facts.get("spread"))  # not in older ones
        mark = KnownMark(arrays["alpha"], arrays["paint"], arrays["noise"], where, *counts, spread)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UserError(f"{path} is damaged: what it says of its mark cannot be read; estimate it again.") from error
    _check(mark, path)
    return mark


def _spread(facts: Mapping[str, Any] | None) -> Spread:
    if facts is None:
        return Spread()
    (small, large), (faint, strong) = facts["scale"], facts["strength"]
    low, high = facts["jpeg_quality"]
    return Spread(
        (float(small), float(large)), (float(faint), float(strong)), float(facts["jpeg"]), (int(low), int(high))
    )


def _check(mark: KnownMark, path: str | Path) -> None:
    """Raises UserError where arrays do not fit each other, or hold what is no mark."""
    size = mark.alpha.shape
    shapes = len(size) == 2 and min(size) > 0 and mark.noise.shape == size and mark.paint.shape == (*size, 3)
    values = all(np.isfinite(part).all() for part in (mark.alpha, mark.paint, mark.noise))
    if not (shapes and values and mark.alpha.min() >= 0 and mark.alpha.max() <= 1):
        raise UserError(f"{path} is damaged: its opacity and paint are those of no mark; estimate it again.")


def from_image(path: str | Path, opacity: float = 1.0) -> KnownMark:
    """Returns the mark that a picture with transparency shows; pictures may have it anywhere.

    Args:
        path: Of the file, RGBA.
        opacity: How opaque pictures have it, more than 0 and at most 1; its own transparency comes on top.

    Raises:
        UserError: It cannot be read, or has no transparency, or shows nothing.
    """
    if not 0 < opacity <= 1:
        raise ArgumentError("{opacity}={} must be above 0 and at most 1.", opacity)
    if not Path(path).is_file():
        raise UserError(f"There is no file {path}; give a PNG with transparency.")
    try:
        with Image.open(path) as image:
            if "A" not in image.getbands() and "transparency" not in image.info:
                raise UserError(f"{path} has no transparency; save the mark as a PNG on a transparent ground.")
            rgba = np.asarray(image.convert("RGBA"), np.float32) / np.float32(255)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a picture; give a PNG with transparency.") from error
    rows, columns = np.nonzero(rgba[..., 3])
    if not rows.size:
        raise UserError(f"{path} is wholly transparent; give a picture that shows the mark.")
    rgba = rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    alpha = rgba[..., 3] * np.float32(opacity)
    return KnownMark(alpha, alpha[..., None] * rgba[..., :3], np.zeros_like(alpha))


def preview(mark: KnownMark) -> npt.NDArray[np.uint8]:
    """Shows a mark on black, grey and white, below each other, and its opacity as grey: (4h, w, 3)."""
    on = [mark.paint + (1 - mark.alpha[..., None]) * ground for ground in (0, 0.5, 1)]
    shown = np.concatenate((*on, np.repeat(mark.alpha[..., None], 3, axis=-1)))
    return np.asarray(np.rint(np.clip(shown, 0, 1) * 255), np.uint8)
