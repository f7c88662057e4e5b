"""Lightning data modules: what all share, one for a folder of photographs, one for the demo."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_only

from wm_lightning.data.augment import Augmentation
from wm_lightning.data.cache import CacheKind, open_cache
from wm_lightning.data.device.blending import PackedLayers, blended
from wm_lightning.data.device.pairs import LayerPairs, check_for_device
from wm_lightning.data.loader import Loader, collate_drawn, none_left, note_broken
from wm_lightning.data.pairs import STAGES, EpochSampler, Stage, StagePairs, WatermarkPairs
from wm_lightning.data.sources import FRACTIONS, DemoSource, FolderSource, PhotographSource, Split, split_names
from wm_lightning.data.synthesis import Synthesizer
from wm_lightning.errors import ArgumentError
from wm_lightning.types import PackedSample, Sample

log = logging.getLogger(__name__)

Target = Literal["reference", "clean"]


class BaseDataModule(L.LightningDataModule):
    """Pairs in three stages: their loaders, their order, and the split with what a checkpoint must know of it.

    A subclass says where pairs come from: :meth:`find`, :meth:`check` and :meth:`pairs`.

    Args:
        target: What a loss compares with: ``reference``, the second watermarked view (self-supervision), or ``clean``.
        size: Side of the square pictures, in pixels.
        batch_size: Pairs in a batch.
        num_workers: Loader processes; None takes half the CPU cores, at most 8. The pairs do not depend on it.
        seed: Chooses the split, the order and the pairs.
        fresh: Draws new pairs each epoch; without it, the first epoch's come again in the same order.
        repeats: How many pairs of each photograph an epoch has: fewer, longer epochs where photographs are few.
        split_dir: Folder that :meth:`save_split` writes ``train.txt``, ``val.txt``, ``test.txt`` and ``broken.txt`` to;
            None writes none.

    Attributes:
        split: The names of each stage, once :meth:`setup` has run. Broken ones are among them.
        broken: Names of photographs that were found to be unusable so far, with the reason of each. In training the
            next of the epoch's order stands in for one, in validation and test it is left out.
        scored: The stage that :meth:`test_dataloader` has: ``test``, or ``val`` while something is being chosen.

    Raises:
        ValueError: A number is out of range.
    """

    scored: Stage = "test"

    def __init__(
        self,
        target: Target,
        size: int = 256,
        batch_size: int = 8,
        num_workers: int | None = None,
        seed: int = 0,
        fresh: bool = True,
        repeats: int = 1,
        split_dir: str | None = None,
    ) -> None:
        super().__init__()
        bounds = (
            ("size", size, 8), ("batch_size", batch_size, 1), ("num_workers", num_workers, 0), ("repeats", repeats, 1),
        )  # fmt: skip
        for key, value, least in bounds:
            if value is not None and value < least:
                raise ArgumentError("{" + key + "}={} must be at least {}.", value, least)
        self.size, self.batch_size, self.target, self.seed = size, batch_size, target, seed
        self.num_workers = min(8, max(1, (os.cpu_count() or 2) // 2)) if num_workers is None else num_workers
        self.fresh, self.repeats, self.split_dir = fresh, repeats, split_dir
        self.split: Split | None = None
        self.broken: dict[str, str] = {}
        self._trained_split: str | None = None
        self._opencv_threads: int | None = None  # as many as there were before; None while they are as they were
        self._epoch, self._batches = 0, 0

    @abstractmethod
    def find(self) -> Split:
        """Finds the photographs and splits them; a stage may be empty where the data have none for it.

        Raises:
            UserError: There are none.
        """

    @abstractmethod
    def check(self) -> dict[str, str]:
        """Returns the names that are known to be broken before any is drawn, with the reason of each."""

    @abstractmethod
    def pairs(self, stage: Stage) -> StagePairs:
        """Returns the pairs of one stage; needs :meth:`setup`."""

    def setup(self, stage: str | None = None) -> None:
        """Finds and splits the photographs; the second call finds it done.

        OpenCV has one thread from now on, until :meth:`teardown`.
        """
        # OpenCV's threads do not survive the fork of a loader process, which would wait for them for ever; and with
        # many loader processes they would only take the cores from each other.
        if self._opencv_threads is None:
            self._opencv_threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
        if self.split is not None:
            return
        # Broken files stay in it: what is known of them, and when, moves no other photograph and changes no order.
        self.split = self.find()
        for name, reason in self.check().items():
            note_broken(self.broken, name, reason)
        log.info("photographs: %d train, %d val, %d test", *map(len, self.split))
        self._compare_split()
        self._need_one_of_each_stage()

    def _need_one_of_each_stage(self) -> None:
        """Draws pairs until one is intact: better now than after hours of training.

        Raises:
            UserError: There is none in a stage.
        """
        for stage in STAGES:
            pairs = self.pairs(stage)
            if len(pairs) and not any(pairs.draw([(0, index)]).samples for index in range(len(pairs))):
                raise none_left(stage, len(pairs))

    def usable(self) -> dict[str, int]:
        """Returns for each stage the number of photographs that are not known to be broken; needs :meth:`setup`."""
        return {stage: len(self.pairs(stage).intact()) for stage in STAGES}

    def gather_broken(self) -> None:
        """Takes over what the other processes of a training found broken, each of which sees a part of the pictures."""
        if self.trainer is None or self.trainer.world_size == 1:
            return
        found: list[dict[str, str]] = [{} for _ in range(self.trainer.world_size)]
        torch.distributed.all_gather_object(found, self.broken)
        for broken in found:
            for name, reason in sorted(broken.items()):
                note_broken(self.broken, name, reason)

    def teardown(self, stage: str | None = None) -> None:
        """Gives OpenCV its threads back; Lightning calls it when a fit or test has ended, and :meth:`setup` before."""
        if self._opencv_threads is not None:
            cv2.setNumThreads(self._opencv_threads)
            self._opencv_threads = None

    @rank_zero_only
    def save_split(self) -> None:
        """Writes the names of each stage, and those found broken so far, to ``split_dir``; needs :meth:`setup`.

        A step of its own: the folder may hold the split of a run that these data turn out not to fit.
        """
        if self.split_dir is None:
            return
        assert self.split is not None
        folder = Path(self.split_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for stage_name, names in {**self.split._asdict(), "broken": self.broken}.items():
            (folder / f"{stage_name}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint needs to notice that the split has changed, and where training goes on.

        That is the epoch, and how many of its batches are done: none where the next epoch is meant.
        """
        epoch, batches = 0, 0
        if self.trainer:
            progress = self.trainer.fit_loop.epoch_loop.batch_progress
            within = progress.current.ready > 0 and not progress.is_last_batch
            epoch = self.trainer.current_epoch + (not within)
            batches = progress.current.ready if within else 0
        return {"split": None if self.split is None else self.split.digest(), "epoch": epoch, "batches": batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remembers the split of the run that wrote the checkpoint, and goes on where it was."""
        self._trained_split = state_dict["split"]
        self._epoch, self._batches = state_dict.get("epoch", 0), state_dict.get("batches", 0)  # not in older ones
        self._compare_split()

    def _compare_split(self) -> None:
        if self.split is not None and self._trained_split not in (None, self.split.digest()):
            log.warning(
                "THE SPLIT IS NOT THE ONE THIS CHECKPOINT WAS TRAINED WITH: the photographs or the seed changed, so "
                "photographs of this test split may have been trained on."
            )

    def train_dataloader(self) -> Loader:
        """Returns shuffled training pairs, new ones each epoch."""
        return self._loader("train")

    def val_dataloader(self) -> Loader:
        """Returns the fixed validation pairs."""
        return self._loader("val")

    def test_dataloader(self) -> Loader:
        """Returns the fixed pairs of the stage that is scored."""
        return self._loader(self.scored)

    def on_after_batch_transfer(self, batch: PackedSample, dataloader_idx: int) -> Sample:
        """Lightning's hook: bytes become numbers on the device, not in the loaders."""
        return batch.unpack()

    def _loader(self, stage: Stage) -> Loader:
        pairs = self.pairs(stage)
        if not len(pairs):
            raise ArgumentError("{root} holds no pairs for {}; add them, or give a folder that has some.", stage)
        training = stage == "train"
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if len(pairs) < world_size:
            raise ArgumentError(
                "{root} holds {} pairs for {}, fewer than the {} processes that share them; add some, or set {devices} "
                "lower.",
                len(pairs),
                stage,
                world_size,
            )
        sampler = self._sampler(pairs, rank, world_size)
        if training:  # a resumed run's loaders begin to fetch before Lightning tells the sampler the epoch
            sampler.begin(self._epoch, self._batches * self.batch_size)
        return Loader(
            pairs,
            batch_size=self.batch_size,
            sampler=sampler,
            # What loaders draw to seed their processes would otherwise move the random state of the network's layers.
            generator=torch.Generator().manual_seed(self.seed),
            collate_fn=collate_drawn,  # type: ignore[arg-type]  # it is given what __getitems__ returns
            num_workers=self.num_workers,
            # A short last batch would give BatchNorm noisier statistics; a small set keeps its only batch.
            drop_last=training and len(sampler) > self.batch_size,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )

    def _sampler(self, pairs: StagePairs, rank: int, world_size: int) -> EpochSampler:
        """Returns the order of a stage's pairs."""
        return EpochSampler(
            len(pairs),
            self.seed,
            shuffle=pairs.stage == "train",
            fresh=self.fresh,
            repeats=self.repeats,
            rank=rank,
            world_size=world_size,
        )


class WatermarkDataModule(BaseDataModule):
    """Watermarked pairs from clean photographs, split 70/20/10; a subclass says where photographs come from.

    Args:
        synthesis: Draws the watermarks.
        augment: Changes training photographs before they are watermarked.
        target: As for :class:`BaseDataModule`.
        fractions: Shares of train, val and test.
        device_synthesis: Has the device put training pairs together: light augmentation, marks on photographs,
            degradations. Loader processes then only decode photographs and draw marks.
        **options: As for :class:`BaseDataModule`.

    Raises:
        UserError: The device cannot do what ``synthesis`` or ``augment`` want.
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        synthesis: Synthesizer,
        augment: Augmentation,
        target: Target = "reference",
        fractions: Sequence[float] = FRACTIONS,
        device_synthesis: bool = False,
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(target, **options)
        self.synthesis, self.augment, self.fractions = synthesis, augment, fractions
        self.device_synthesis = device_synthesis
        if device_synthesis:
            check_for_device(synthesis, augment)
        self._source: PhotographSource | None = None

    @abstractmethod
    def open_source(self) -> PhotographSource:
        """Returns the photographs.

        Raises:
            UserError: There are none.
        """

    def find(self) -> Split:
        """Splits the source's photographs."""
        self._source = self.open_source()
        return split_names(self._source.names, self.seed, self.fractions)

    def check(self) -> dict[str, str]:
        """Returns what the source knows to be broken."""
        assert self._source is not None
        return self._source.check()

    def pairs(self, stage: Stage) -> WatermarkPairs:
        """Returns the pairs of one stage; needs :meth:`setup`."""
        assert self.split is not None
        assert self._source is not None
        names = getattr(self.split, stage)
        # What no loss compares with is not drawn in training; scores of validation and test have a column for it.
        second_view = self.target == "reference" or stage != "train"
        # Validation and test are made as ever, so that their figures can be compared.
        kind = LayerPairs if self.device_synthesis and stage == "train" else WatermarkPairs
        return kind(
            self._source, names, self.synthesis, self.augment, self.size, self.seed, stage, second_view, self.broken
        )

    def on_after_batch_transfer(self, batch: PackedSample | PackedLayers, dataloader_idx: int) -> Sample:
        """Lightning's hook: see :class:`BaseDataModule`; layers become pairs here."""
        if isinstance(batch, PackedLayers):
            return blended(batch, self.augment.on_device, self.synthesis.mask_threshold)
        return super().on_after_batch_transfer(batch, dataloader_idx)


class FolderDataModule(WatermarkDataModule):
    """Photographs below a folder.

    Args:
        root: The folder, searched recursively.
        short_side: Photographs whose shorter side is longer are reduced to it, proportions kept, so that a crop shows
            a good part of a large one and little is decoded that no crop shows. ``auto`` is twice ``size``; ``full``
            leaves photographs as they are.
        cache: Keeps decoded photographs: ``ram`` in memory, ``disk`` in files that later runs use too; or ``none``.
        cache_dir: Folder of the files of ``disk``; None takes the user's cache folder.
        **options: As for :class:`WatermarkDataModule`.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        root: str,
        short_side: int | Literal["auto", "full"] = "auto",
        cache: CacheKind = "none",
        cache_dir: str | None = None,
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(**options)
        self.short_side = short_side_of(short_side, self.size)
        self.root, self.cache, self.cache_dir = root, cache, cache_dir

    def open_source(self) -> PhotographSource:
        """Returns the folder's photographs."""
        return FolderSource(self.root, self.short_side, open_cache(self.cache, self.cache_dir))


def short_side_of(asked: int | Literal["auto", "full"], size: int) -> int | None:
    """Returns what photographs' shorter sides are reduced to, None for not at all.

    Raises:
        ArgumentError: It is less than the side of a crop.
    """
    if isinstance(asked, int):
        if asked < size:
            raise ArgumentError("{short_side}={} must be auto, full, or at least {size}={}.", asked, size)
        return asked
    return {"auto": 2 * size, "full": None}[asked]


class DemoDataModule(WatermarkDataModule):
    """Tiles of a dozen photographs that other packages ship: enough to see a remover come out, not to ship it.

    Arguments are those of :class:`WatermarkDataModule`.
    """

    def open_source(self) -> PhotographSource:
        """Returns the tiles."""
        log.info("data=demo: tiles of a dozen pictures, to try the path; yours: data=folder data.root=PATH")
        return DemoSource(self.size)
