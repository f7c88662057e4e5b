"""The contract every network keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wm_lightning.models.size import pad_to_requirement
from wm_lightning.sizes import SizeRequirement
from wm_lightning.tta import tta_mean
from wm_lightning.types import Prediction


class RestorationNet(nn.Module, ABC):
    """A network that takes a watermarked picture of any size and returns it restored.

    A subclass declares the sizes it can work on in ``size`` and implements :meth:`restore` for those; padding to
    them and cropping back happens here, once for all networks.

    A subclass may also name the layers worth looking at; what it does not name, reports leave out.

    Attributes:
        size: The sizes the network can work on.
        activation_layers: Modules whose outputs, (B, C, h, w), show how a picture is worked on, from input to output.
        attention_layers: Modules that put out one map in 0..1, (B, 1, h, w).
        decoder_layer: The last module with features of the picture's size; None where there is none.
        first_layer: The convolution that sees the picture itself; None where there is none.
        tta: Mirrored and turned copies of a picture whose predictions' mean is taken: 1, 2, 4 or 8, see
            :mod:`wm_lightning.tta`.
    """

    size: ClassVar[SizeRequirement]
    activation_layers: ClassVar[tuple[str, ...]] = ()
    attention_layers: ClassVar[tuple[str, ...]] = ()
    decoder_layer: ClassVar[str | None] = None
    first_layer: ClassVar[str | None] = None

    tta: int = 1
    _compiled: Callable[[Tensor], Prediction] | None = None

    @property
    def knows_layers(self) -> bool:
        """Whether its head does, see :class:`~wm_lightning.models.heads.Head`; not where it has none."""
        return bool(getattr(getattr(self, "head", None), "knows_layers", False))

    @property
    def recognises(self) -> bool:
        """Whether it was fitted what its features say of marks, see :class:`~.recognition.Recognition`."""
        recognition = getattr(self, "recognition", None)
        return recognition is not None and bool(recognition.weight.any())

    def forward(self, image: Tensor) -> Tensor:
        """Restores pictures of any size.

        Args:
            image: (B, 3, H, W) in 0..1.

        Returns:
            (B, 3, H, W) in 0..1, which a network may pass by a little.
        """
        return self.predict(image).image

    def predict(self, image: Tensor) -> Prediction:
        """Restores pictures of any size, (B, 3, H, W) in 0..1, and says what else the network knows of them."""
        parts = tta_mean(self._compiled or self._predict, image, self.tta, Tensor.flip, axes=(-2, -1))
        return Prediction._make(parts)

    def _predict(self, image: Tensor) -> Prediction:
        return self.restore(pad_to_requirement(image, self.size)).cropped(*image.shape[-2:])

    def compile(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of torch.compile
        """Compiles :meth:`predict`, which every way through the network takes; a copy is not compiled."""
        self._compiled = torch.compile(self._predict, *arguments, **options)

    def __getstate__(self) -> dict[str, Any]:
        # Compiled code is bound to this network: a copy would run with the weights of another.
        return {**super().__getstate__(), "_compiled": None}  # type: ignore[no-untyped-call]  # PyTorch's

    @abstractmethod
    def restore(self, image: Tensor) -> Prediction:
        """Restores pictures whose size meets :attr:`size`; shapes and ranges as in :meth:`predict`."""
