"""How much a picture may have, and may take to be read and written: pixels, memory and time.

Imports no Pillow before it is needed, since a command's help need not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

MEGAPIXELS = 178.956970  # Pillow's own: twice what it warns of; half a gigabyte of RGB
MINUTES = 30.0
LEAST_MEMORY = 2.0  # gigabytes; libraries alone reserve half of one


class Limits(NamedTuple):
    """What one picture may have and take.

    Attributes:
        megapixels: Of a file's picture, width times height; one that has more is refused before it is decoded.
        gigabytes: Of memory that a process which reads and writes pictures may have; None for as much as there is.
        minutes: That reading a picture, looking at it, and writing it may take, each.
    """

    megapixels: float = MEGAPIXELS
    gigabytes: float | None = None
    minutes: float = MINUTES


def half_the_memory() -> float | None:
    """Returns half of this machine's memory, at least 2 gigabytes; None where the system does not tell."""
    try:
        return max(LEAST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2e9)
    except (AttributeError, OSError, ValueError):
        return None


USUAL = Limits()
"""As much memory as there is, and what is usual beside that."""


@contextmanager
def limited_pixels(megapixels: float) -> Iterator[None]:
    """Lets Pillow open no picture of more pixels in this process, and no other reader: they all ask Pillow first."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    limit_pixels(megapixels)
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def limit_pixels(megapixels: float) -> None:
    """Does what :func:`limited_pixels` does, for the rest of this process."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = max(1, round(megapixels * 1e6 / 2))


def limit_memory(gigabytes: float) -> None:
    """Gives this process no more memory, so that what asks for more fails here, and not the machine; POSIX alone."""
    try:
        import resource
    except ModuleNotFoundError:  # on Windows
        return
    most = min(round(gigabytes * 1e9), 2**62)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with suppress(ValueError, OSError):  # macOS refuses less than a process has mapped already
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
