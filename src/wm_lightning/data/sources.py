"""Find, decode and split clean photographs. Nothing here knows of watermarks."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import track

from wm_lightning.data.cache import Cache, RamCache
from wm_lightning.data.index import known_broken
from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import PHOTOGRAPHS, names_below
from wm_lightning.images.decoding import Decoded, decode_opened, open_picture
from wm_lightning.images.pixels import as_bytes
from wm_lightning.images.profiles import colours_of

log = logging.getLogger(__name__)

FRACTIONS = (0.7, 0.2, 0.1)
# What is wrong with the machine and not with one file: no reason to go on with the next.
OF_MACHINE = {
    errno.ENOENT, errno.ENOTDIR, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ENOTCONN,
    errno.ETIMEDOUT,
}  # fmt: skip
LONGEST = 100  # times as long as wide: what is longer is a strip, and enlarged to a crop's height takes gigabytes

Photograph = npt.NDArray[np.uint8]  # (H, W, 3), sRGB
Loaded = TypeVar("Loaded")
Verdict = TypeVar("Verdict")


class BrokenPictureError(OSError):
    """A file that is there and cannot be used.

    Args:
        path: Of the file.
        reason: Why, without the file's name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class PhotographSource(Protocol):
    """Clean photographs, each known by a name."""

    names: list[str]

    def load(self, name: str) -> Photograph:
        """Returns the photograph of that name: (H, W, 3) uint8, sRGB.

        Raises:
            BrokenPictureError: It cannot be used.
            OSError: It is no longer there.
        """

    def check(self) -> dict[str, str]:
        """Returns the names known to be broken before any is drawn, with the reason of each."""


class Split(NamedTuple):
    """Names of the photographs of each stage; no name is in two of them."""

    train: list[str]
    val: list[str]
    test: list[str]

    def digest(self) -> str:
        """Returns a fingerprint: equal for equal splits."""
        return hashlib.sha256("\n\n".join("\n".join(names) for names in self).encode()).hexdigest()[:16]


def split_names(names: Iterable[str], seed: int, fractions: Sequence[float] = FRACTIONS) -> Split:
    """Splits by a seeded shuffle of the sorted names, so that the order they are listed in does not matter.

    Validation and test get their rounded share, at least one name each; training gets the rest.

    Args:
        names: At least three.
        seed: Chooses the shuffle.
        fractions: Shares of train, val and test; their sum is 1.

    Raises:
        UserError: There are fewer than three names, or the fractions are no split.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ArgumentError("{fractions}={} must be three positive shares whose sum is 1.", list(fractions))
    shuffled = sorted(names)
    if len(shuffled) < 3:
        raise ArgumentError("{root} has too few photographs to be split in three ({}); give at least 3.", len(shuffled))
    np.random.default_rng(seed).shuffle(shuffled)
    val, test = (max(1, round(len(shuffled) * fraction)) for fraction in fractions[1:])
    train = len(shuffled) - val - test
    if train < 1:
        raise ArgumentError("{fractions}={} leave no photograph of {} to train on.", list(fractions), len(shuffled))
    return Split(shuffled[:train], shuffled[train : train + val], shuffled[train + val :])


def decode(path: Path, short_side: int | None = None, profiles: bool = True) -> Photograph:
    """Reads a picture file as an upright (H, W, 3) uint8 sRGB array.

    EXIF rotation is applied, colours of another profile are brought to sRGB, 16 bits are scaled to 8, transparency is
    put on white.

    Args:
        path: The file.
        short_side: A picture whose shorter side is longer is reduced to it by area averaging, its proportions kept.
            JPEG is then decoded at the smallest of 1/8, 1/4 and 1/2 that suffices, which saves most of the time.
        profiles: Whether colours of another profile are brought to sRGB; otherwise values stay as they are stored.

    Raises:
        BrokenPictureError: The file may not be read, is no complete picture or a mere strip.
        OSError: It is not there, or the machine has no means to read it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise_judged(path, error)
    return decode_bytes(data, path, short_side, profiles)


def decode_bytes(data: bytes, path: Path, short_side: int | None = None, profiles: bool = True) -> Photograph:
    """Does what :func:`decode` does with a file's content.

    Args:
        data: The content.
        path: What errors call it by; nothing is read there.
        short_side: As for :func:`decode`.
        profiles: As for :func:`decode`.

    Raises:
        BrokenPictureError: It is no complete picture or a mere strip.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; the pixels are what matters
            with open_picture(data) as opened:
                if max(opened.size) > LONGEST * min(opened.size):
                    raise ValueError(f"{opened.width}x{opened.height} pixels are a strip and no photograph")
                size = _reduced_size(opened.size, short_side)
                opened.draft(None, size)  # only JPEG can; other formats go on at full size
                photograph = _to_rgb(decode_opened(opened, data), profiles)
    except (UserError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise_judged(path, error)
    height, width = photograph.shape[:2]
    # EXIF may have turned it, but its longer side is still the longer.
    wanted = (max(size), min(size)) if width > height else (min(size), max(size))
    if (width, height) == wanted:
        return photograph
    return np.asarray(cv2.resize(photograph, wanted, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def raise_judged(path: Path, error: Exception) -> NoReturn:
    """Raises what an error of reading a file comes to.

    Raises:
        BrokenPictureError: The file is to blame.
        OSError: The error itself, where it is not.
    """
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, BrokenPictureError):
        raise error
    if isinstance(error, OSError) and error.errno in OF_MACHINE:
        if not path.is_symlink():
            raise error
        reason = "it is a link to nothing"
    elif isinstance(error, UnidentifiedImageError):
        reason = "it is no picture, or of a kind that cannot be read"
    raise BrokenPictureError(path, reason) from error


def load_again(load: Callable[[str], Loaded], name: str) -> Loaded:
    """Loads what was there when the run began.

    Raises:
        BrokenPictureError: It cannot be used.
        UserError: It is no longer there.
    """
    try:
        return load(name)
    except BrokenPictureError:
        raise
    except OSError as error:
        raise UserError(f"A photograph can no longer be read ({error}); restore it or start again.") from error


def _reduced_size(size: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    shorter = min(size)
    if short_side is None or shorter <= short_side:
        return size
    width, height = (round(side * short_side / shorter) for side in size)
    return width, height


def each_of(
    names: Sequence[str], check: Callable[[str], Verdict], doing: str
) -> Generator[tuple[str, Verdict], None, None]:
    """Yields each name with what ``check`` says of it; works in threads and shows a bar that says what is done."""
    pool = ThreadPoolExecutor()
    try:
        bar = Console(stderr=True)  # results alone are printed to the standard output
        verdicts = track(pool.map(check, names), doing, total=len(names), transient=True, console=bar)
        yield from zip(names, verdicts, strict=True)
    finally:  # also where it was interrupted, which would wait for all that is left
        pool.shutdown(cancel_futures=True)


def _to_rgb(decoded: Decoded, profiles: bool) -> Photograph:
    planes, grey = decoded.planes, decoded.planes.shape[-1] <= 2
    colours = np.repeat(planes[..., :1], 3, axis=-1) if grey else planes[..., :3]
    profile = colours_of(decoded.profile, grey) if profiles and decoded.inks is None else None
    rgb = as_bytes(colours if profile is None else profile.seen(colours))
    if planes.shape[-1] in (2, 4):
        rgba = Image.fromarray(np.dstack((rgb, as_bytes(planes[..., -1]))))
        rgb = np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))
    return np.array(rgb)


def expanded(root: str | Path) -> Path:
    """Returns a folder with the user's own in place of ``~``."""
    return Path(os.path.expanduser(root))  # noqa: PTH111 - pathlib refuses `~name` where there is no such user


def find_names(root: str | Path) -> list[str]:
    """Returns the photographs below a folder by their paths relative to it, in alphabetical order.

    Raises:
        UserError: The folder is missing or holds no picture.
    """
    if not str(root).strip():
        raise ArgumentError("{root} is empty; give the folder that holds the clean photographs.")
    folder = expanded(root)
    if not folder.is_dir():
        raise ArgumentError("{root}={} is not a folder; give the folder that holds the clean photographs.", root)
    names = sorted(names_below(folder, PHOTOGRAPHS))
    if not names:
        kinds = ", ".join(sorted(suffix[1:] for suffix in PHOTOGRAPHS))
        raise ArgumentError("{root}={} holds no picture ({}); give the folder of the clean photographs.", root, kinds)
    return names


class FolderSource:
    """Every photograph below a folder, by its path relative to it.

    Args:
        root: Searched recursively for JPEG, PNG, WebP, TIFF and BMP files; links to folders are not followed, hidden
            files and folders are passed over.
        short_side: Photographs whose shorter side is longer are reduced to it; None leaves them as they are.
        cache: Keeps decoded photographs; None decodes them each time.

    Raises:
        UserError: The folder is missing or holds no picture.
    """

    def __init__(self, root: str | Path, short_side: int | None = None, cache: Cache | None = None) -> None:
        self.short_side, self.cache = short_side, cache
        self.root, self.names = expanded(root), find_names(root)

    def load(self, name: str) -> Photograph:
        """Returns the photograph of that name: (H, W, 3) uint8, sRGB; read-only where it is cached."""
        path = self.root / name
        if self.cache is None:
            return decode(path, self.short_side)
        try:
            return self.cache.fetch(path, self.short_side, decode)
        except OSError as error:  # of the cache too, which looks at the file
            raise_judged(path, error)

    def check(self) -> dict[str, str]:
        """Returns what the folder's index knows to be broken; photographs are checked when they are drawn.

        A cache in memory is filled here, before loader processes are forked, so that they share what it holds.

        Raises:
            UserError: The index or the cache's folder cannot be used.
        """
        broken = known_broken(self.root)
        if self.cache is not None:
            self.cache.prepare()
        if isinstance(self.cache, RamCache):
            left = [name for name in self.names if name not in broken]
            found = each_of(left, self._reason, "reading photographs into memory")
            broken |= {name: reason for name, reason in found if reason}
        if self.cache is not None:
            log.info("cache: %s", self.cache)
        return broken

    def _reason(self, name: str) -> str:
        """Fills the cache; returns why a photograph is broken, nothing where it is not."""
        try:
            load_again(self.load, name)
        except BrokenPictureError as error:
            return error.reason
        return ""


class DemoSource:
    """The photographs that scikit-image and Matplotlib ship, in colour and grey, cut into tiles that do not overlap.

    Pictures of galaxies, microscopes and eyes are left out: nobody watermarks those. A dozen pictures are a small
    training set: this exists so that the whole path can be tried without any data.

    Args:
        tile: Side of a tile in pixels. What is left at the right and the bottom is not used.
    """

    PICTURES = (
        "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grace_hopper.jpg",
        "grass.png", "gravel.png", "moon.png", "motorcycle_left.png", "rocket.jpg",
    )  # fmt: skip

    def __init__(self, tile: int = 96) -> None:
        import matplotlib
        import skimage.data

        folders = (Path(skimage.data.__file__).parent, Path(matplotlib.get_data_path(), "sample_data"))
        self._tiles: dict[str, Photograph] = {}
        for picture in self.PICTURES:
            pixels = decode(next(folder / picture for folder in folders if (folder / picture).is_file()))
            for top in range(0, pixels.shape[0] - tile + 1, tile):
                for left in range(0, pixels.shape[1] - tile + 1, tile):
                    crop = pixels[top : top + tile, left : left + tile]
                    self._tiles[f"{picture}@{left},{top}"] = np.ascontiguousarray(crop)
        self.names = sorted(self._tiles)

    def load(self, name: str) -> Photograph:
        """Returns the tile of that name: (tile, tile, 3) uint8, sRGB."""
        return self._tiles[name]

    def check(self) -> dict[str, str]:
        """Returns nothing: the tiles are in memory."""
        return {}
