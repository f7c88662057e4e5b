"""Folders of real pairs: watermarked pictures, the same without a watermark, and masks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch

from wm_lightning.data.augment import Augmentation, Pair, Picture, crop_pair, resize_pair
from wm_lightning.data.datamodule import BaseDataModule, Target
from wm_lightning.data.paired_layouts import LayoutName, PairFiles, check_sizes, find_pairs, split_pairs, threshold_of
from wm_lightning.data.pairs import Stage, StagePairs
from wm_lightning.data.sources import (
    FRACTIONS,
    Photograph,
    Split,
    decode,
    each_of,
    load_again,
)
from wm_lightning.errors import ArgumentError
from wm_lightning.types import PackedSample

log = logging.getLogger(__name__)

Fit = Literal["crop", "resize"]


class PairSource(Protocol):
    """Pairs, each known by a name."""

    def load(self, name: str) -> Pair:
        """Returns the pair of that name.

        Raises:
            OSError: A file cannot be read or is no complete picture.
        """


class FilePairSource:
    """Pairs of files.

    Args:
        files: The files of each pair.
        mask_threshold: A given mask's values above it, of 0..1, count as watermark.
    """

    def __init__(self, files: dict[str, PairFiles], mask_threshold: float) -> None:
        self.files, self.mask_threshold = files, mask_threshold

    def load(self, name: str) -> Pair:
        """Returns the pair of that name.

        Raises:
            OSError: A file cannot be read or is no complete picture.
        """
        files = self.files[name]
        mask = None if files.mask is None else mask_of(decode(files.mask), self.mask_threshold)
        return Pair(decode(files.watermarked), decode(files.clean), mask)

    def check(self) -> dict[str, str]:
        """Decodes every file once; returns the names of broken pairs, each with the first fault.

        Raises:
            UserError: The pictures of a pair have different sizes.
        """
        verdicts = each_of(list(self.files), self._reason, "checking pairs")
        return {name: reason for name, reason in verdicts if reason}

    def _reason(self, name: str) -> str:
        sizes: dict[Path, str] = {}
        for path in self.files[name]:
            if path is None:
                continue
            try:
                height, width = decode(path).shape[:2]
            except OSError as error:
                return str(error)
            sizes[path] = f"{width}x{height}"
        check_sizes(sizes)
        return ""


class FilePairs(StagePairs):
    """Pairs from files, as squares of one size.

    Validation and test are not augmented and use the pictures' middle, or all of them where they are resized.

    Args:
        source: Where pairs come from.
        names: The pairs of this stage.
        augmentation: What of it moves pixels is applied in training.
        fit: How a picture becomes a square.
        mask_difference: Where no mask is given, pixels whose channels differ by more than this together, in grey
            levels of 255, are the mask.
        size: Side of the square in pixels.
        seed: The run's seed.
        stage: The stage.
        broken: As for :class:`~wm_lightning.data.pairs.StagePairs`.
    """

    def __init__(
        self,
        source: PairSource,
        names: list[str],
        augmentation: Augmentation,
        fit: Fit,
        mask_difference: float,
        size: int,
        seed: int,
        stage: Stage,
        broken: dict[str, str] | None = None,
    ) -> None:
        super().__init__(names, size, seed, stage, broken)
        self.source, self.augmentation, self.fit, self.mask_difference = source, augmentation, fit, mask_difference

    def __getitem__(self, key: tuple[int, int]) -> PackedSample:
        """Makes the pair of (epoch, index); without a second view, alpha and layer."""
        epoch, index = key
        name = self.names[index]
        pair = load_again(self.source.load, name)
        if self.fit == "resize":
            pair = resize_pair(pair, self.size)
        if self.stage == "train":
            pair = self.augmentation.aligned(pair, self.size, self.generator(epoch, name))
        else:
            pair = crop_pair(pair, self.size)
        # Derived last, so that it fits the pixels which the network sees.
        mask = difference_mask(pair, self.mask_difference) if pair.mask is None else pair.mask
        watermarked, clean, mask = (np.ascontiguousarray(picture) for picture in (*pair[:2], mask[..., None]))
        return PackedSample(
            watermarked=torch.from_numpy(watermarked),
            reference=None,
            clean=torch.from_numpy(clean),
            mask=torch.from_numpy(mask),
            alpha=None,
            layer=None,
            name=name,
        )


def difference_mask(pair: Pair, levels: float) -> Picture:
    """Returns where the channels of a pair differ by more than ``levels`` grey levels together: (H, W), 0 or 255."""
    difference = np.abs(pair.watermarked.astype(np.int16) - pair.clean)
    return as_mask(difference.sum(axis=2) > levels)


def mask_of(picture: Photograph, threshold: float) -> Picture:
    """Returns where a given mask's values, of 0..1, are above a threshold: (H, W), 0 or 255."""
    return as_mask(picture.mean(axis=2) > 255 * threshold)


def as_mask(marked: npt.NDArray[np.bool_]) -> Picture:
    """Returns 255 where the watermark is, else 0."""
    mask: Picture = marked.astype(np.uint8) * np.uint8(255)
    return mask


class RealPairsDataModule(BaseDataModule):
    """Pairs that have their marks already; a subclass says where they come from.

    Args:
        augment: What of it moves pixels changes training pairs, all pictures of a pair alike.
        fit: How a picture becomes a square of ``size``, in every stage: ``crop``, a random part of it in training and
            the middle otherwise, or ``resize``, all of it, its proportions not kept. Too small a picture is enlarged.
        target: What a loss compares with; only ``clean``, since there is no second view.
        mask_threshold: Values of a given mask above it, of 0..1, count as watermark. None takes what the layout's
            published evaluations use: 0.1 for clwd and lvw, 0.5 for logo and plain.
        mask_difference: Where no mask is given, pixels whose channels differ by more than this together are the mask,
            in grey levels of 255. CLWD's masks were made with 15.
        **options: As for :class:`~wm_lightning.data.datamodule.BaseDataModule`.

    Raises:
        ValueError: A number is out of range.
        UserError: The target is a second view.
    """

    def __init__(
        self,
        augment: Augmentation,
        fit: Fit = "crop",
        target: Target = "clean",
        mask_threshold: float | None = None,
        mask_difference: float = 15,
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(target, **options)
        if target == "reference":
            raise ArgumentError(
                "{target}=reference is a second watermarked view, which real pairs do not have; use clean."
            )
        if mask_threshold is not None and not 0 <= mask_threshold < 1:
            raise ArgumentError("{mask_threshold}={} must be at least 0 and below 1.", mask_threshold)
        if not 0 <= mask_difference < 3 * 255:
            raise ArgumentError("{mask_difference}={} must be at least 0 and below {}.", mask_difference, 3 * 255)
        self.augment, self.fit = augment, fit
        self.mask_threshold, self.mask_difference = mask_threshold, mask_difference
        self._source: PairSource | None = None

    def tell_what_is_left_out(self) -> None:
        """Names what of the augmentation is not applied: once the mark is on, it would change the mark too."""
        if self.augment.photometric:
            log.info("augment: not applied to real pairs: %s", ", ".join(self.augment.photometric))

    def pairs(self, stage: Stage) -> FilePairs:
        """Returns the pairs of one stage; needs :meth:`setup`."""
        assert self.split is not None
        assert self._source is not None
        names = getattr(self.split, stage)
        return FilePairs(
            self._source, names, self.augment, self.fit, self.mask_difference, self.size, self.seed, stage, self.broken
        )


class PairedDataModule(RealPairsDataModule):
    """Real pairs below a folder.

    The stages are those of the data set's folders; what they leave open is drawn by the seed, see
    :func:`~wm_lightning.data.paired_layouts.split_pairs`.

    Args:
        root: The folder.
        layout: How it is arranged: ``clwd``, ``lvw`` and ``logo`` as these data sets are, ``plain`` for ``watermarked``
            and ``clean`` with equal stems, and ``mask`` where there are some.
        val_fraction: Validation's share of a train folder beside which there is a test folder.
        fractions: Shares of train, val and test where the pairs are not divided.
        **options: As for :class:`RealPairsDataModule`.

    Raises:
        ValueError: A number is out of range.
        UserError: The target is a second view.
    """

    def __init__(
        self,
        root: str,
        layout: LayoutName,
        val_fraction: float = 0.1,
        fractions: Sequence[float] = FRACTIONS,
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(**options)
        if not 0 < val_fraction < 1:
            raise ArgumentError("{val_fraction}={} must lie between 0 and 1.", val_fraction)
        self.root, self.layout = Path(root).expanduser(), layout
        self.val_fraction, self.fractions = val_fraction, fractions

    def find(self) -> Split:
        """Finds the pairs and splits them."""
        found = find_pairs(self.root, self.layout)
        files = {name: files for pairs in found.values() for name, files in pairs.items()}
        self._source = FilePairSource(files, threshold_of(self.layout, self.mask_threshold))
        self.tell_what_is_left_out()
        return split_pairs(found, self.seed, self.fractions, self.val_fraction)

    def check(self) -> dict[str, str]:
        """Returns the broken pairs, each with its first broken file."""
        assert isinstance(self._source, FilePairSource)
        return self._source.check()
