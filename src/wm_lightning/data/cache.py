"""Keeps decoded pictures, so that a file is decoded once and not once an epoch."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from wm_lightning.errors import ArgumentError

VERSION = 2  # raise it when decoding gives other pixels: cached files of another version are not read

Picture = npt.NDArray[np.uint8]  # (H, W, 3)
Decode = Callable[[Path, "int | None"], Picture]
CacheKind = Literal["none", "ram", "disk"]


class Cache(Protocol):
    """Stands between a source and its decoder; as a string it says what it holds."""

    def prepare(self) -> None:
        """Notices before the first picture what is in the way of keeping any.

        Raises:
            UserError: Something is.
        """

    def fetch(self, path: Path, short_side: int | None, decode: Decode) -> Picture:
        """Returns ``decode(path, short_side)`` as a read-only array, decoding only what is not kept yet.

        What ``decode`` raises passes through, and nothing is kept then.
        """


class RamCache:
    """Keeps pictures in memory, which loader processes share if they are forked later.

    What a loader process adds is its own. A file that changes while the run goes on is not read again.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, int | None], Picture] = {}

    def prepare(self) -> None:
        """Does nothing: how much memory there is shows when it is full."""

    def fetch(self, path: Path, short_side: int | None, decode: Decode) -> Picture:
        """Returns the kept picture; see :meth:`Cache.fetch`."""
        key = (path, short_side)
        if key not in self._kept:
            self._kept[key] = decode(path, short_side)
        return _read_only(self._kept[key])

    def __str__(self) -> str:
        mebibytes = sum(picture.nbytes for picture in self._kept.values()) / 2**20
        return f"{len(self._kept)} photographs, {mebibytes:.1f} MiB, in memory"


class DiskCache:
    """Keeps pictures as uncompressed files, which processes and runs share by mapping them into memory.

    A file is named after its photograph's path, size and time of change, so that a changed photograph is decoded
    again. Nothing is ever removed; the folder can be deleted when no run uses it.

    Args:
        folder: Made by :meth:`prepare`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Makes the folder; one that cannot be written to will do where it holds all pictures.

        Raises:
            UserError: It cannot be made.
        """
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)

    def fetch(self, path: Path, short_side: int | None, decode: Decode) -> Picture:
        """Returns the kept picture; see :meth:`Cache.fetch`.

        Raises:
            UserError: The folder cannot be written to.
        """
        file = self._file(path, short_side)
        picture = _map(file)
        if picture is None:
            picture = decode(path, short_side)
            self._store(picture, file)
        return _read_only(picture)

    def _file(self, path: Path, short_side: int | None) -> Path:
        status = path.stat()
        identity = (VERSION, str(path.resolve()), status.st_size, status.st_mtime_ns, short_side)
        return self.folder / f"{hashlib.sha256(repr(identity).encode()).hexdigest()}.npy"

    def _store(self, picture: Picture, file: Path) -> None:
        # Written aside and renamed: no reader and no killed run ever meets half a file under the final name.
        aside = file.with_suffix(f".{uuid.uuid4().hex}")
        try:
            with self._writing():
                self.folder.mkdir(parents=True, exist_ok=True)
                with aside.open("wb") as stream:
                    np.save(stream, picture, allow_pickle=False)
                aside.replace(file)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()  # still there only where something went wrong

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArgumentError(
                "{cache_dir}={} cannot be written to ({}); make room there, name another folder, or set {cache}=none.",
                self.folder,
                error.strerror or error,
            ) from error

    def __str__(self) -> str:
        return f"photographs in {self.folder}"


def open_cache(kind: CacheKind, folder: str | None = None) -> Cache | None:
    """Returns the cache of that kind, None for ``none``.

    Args:
        kind: ``none``, ``ram`` or ``disk``.
        folder: Where ``disk`` keeps its files; None takes the user's cache folder.
    """
    if kind == "disk":
        return DiskCache(user_folder() if folder is None else Path(folder).expanduser())
    return RamCache() if kind == "ram" else None


def user_folder() -> Path:
    """Returns the folder for cached photographs below ``$XDG_CACHE_HOME``, or ``~/.cache`` where that is not set."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification has relative paths ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "wm_lightning" / "photographs"


def _map(file: Path) -> Picture | None:
    """Maps a cached file into memory; None where it is missing or damaged."""
    try:
        mapped = np.lib.format.open_memmap(file, mode="r")
    except Exception:  # NumPy raises many kinds for a damaged header
        return None
    if mapped.dtype != np.uint8 or mapped.ndim != 3 or mapped.shape[2] != 3:
        return None
    return np.asarray(mapped)  # the same memory as a plain array, which every library takes


def _read_only(picture: Picture) -> Picture:
    """Locks a picture: what a caller wrote into it would be in every later epoch."""
    picture.setflags(write=False)
    return picture
