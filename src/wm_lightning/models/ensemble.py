"""The mean of what a network says of mirrored and turned copies of a picture."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from wm_lightning.types import Prediction


def predict_ensemble(predict: Callable[[Tensor], Prediction], image: Tensor, copies: int) -> Prediction:
    """Predicts from copies of pictures, and takes the mean of all parts (self-ensemble, arXiv 1707.02921, 3.4).

    :class:`wm_lightning.inference.ensemble.SelfEnsemble` is the same for whatever runs a network on files.

    Args:
        predict: From (B, 3, H, W) in 0..1, of any size.
        image: (B, 3, H, W) in 0..1.
        copies: 1 is the picture itself, 2 mirrors left and right, 4 upside down too, 8 turns by a right angle too.
    """
    if copies == 1:
        return predict(image)
    one = predict_ensemble(predict, image, copies // 2)
    other = predict_ensemble(predict, _turned(image, copies), copies // 2)
    # Two by two, so that what is equal in all stays equal to the bit.
    pairs = zip(one, other, strict=True)
    return Prediction._make(None if a is None or b is None else (a + _turned(b, copies)) / 2 for a, b in pairs)


def _turned(picture: Tensor, copies: int) -> Tensor:
    """Does to (B, C, H, W) what as many copies have new; doing it twice changes nothing."""
    return picture.transpose(-1, -2) if copies == 8 else picture.flip(-2 if copies == 4 else -1)
