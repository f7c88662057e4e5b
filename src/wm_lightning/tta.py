"""Test-time augmentation: the mean of what is found on mirrored and turned copies of a picture.

Also called geometric self-ensemble (Lim et al., "Enhanced Deep Residual Networks", arXiv 1707.02921, 3.4). A network
errs differently on each copy, so that the mean errs less; docs/performance.md has by how much. Here is neither PyTorch
nor NumPy: it serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

COPIES = (1, 2, 4, 8)
"""1 is the picture itself, 2 mirrors left and right, 4 upside down too, 8 turns by a right angle too."""


class Array(Protocol):
    """What arrays and tensors have in common."""

    def __add__(self, other: Any, /) -> Any: ...  # noqa: ANN401 - both have many forms
    def __truediv__(self, other: Any, /) -> Any: ...  # noqa: ANN401
    def swapaxes(self, one: Any, other: Any, /) -> Any:  # noqa: ANN401
        """Exchanges two axes."""


A = TypeVar("A", bound=Array)


def tta_mean(
    run: Callable[[A], Iterable[A | None]],
    picture: A,
    copies: int,
    flip: Callable[[A, int], A],
    axes: tuple[int, int],
) -> Iterable[A | None]:
    """Looks at copies of a picture and takes the mean of each part of what is found.

    Args:
        run: Finds parts that lie as the picture does: their height and width have the same ``axes``.
        picture: An array or a tensor.
        copies: One of :data:`COPIES`; time grows with them.
        flip: Mirrors along an axis.
        axes: Those of height and width.

    Returns:
        As many parts as ``run`` finds; None where that is.
    """
    if copies == 1:
        return run(picture)

    def turned(part: A) -> A:
        """Does what this many copies have new; doing it twice changes nothing."""
        exchanged: A = part.swapaxes(*axes) if copies == 8 else flip(part, axes[0] if copies == 4 else axes[1])
        return exchanged

    one = tta_mean(run, picture, copies // 2, flip, axes)
    other = tta_mean(run, turned(picture), copies // 2, flip, axes)
    # Two by two, so that what is equal in all stays equal to the bit.
    pairs = zip(one, other, strict=True)
    return [None if a is None or b is None else (a + turned(b)) / 2 for a, b in pairs]
