"""Where data sets of real pairs keep their files, and which file belongs to which."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from wm_lightning.data.sources import Split, split_names
from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import PHOTOGRAPHS

log = logging.getLogger(__name__)

LayoutName = Literal["clwd", "lvw", "logo", "plain"]

STAGE_FOLDERS = ("train", "val", "test")
UNSPLIT = "."  # stands in for a stage's folder where there is none
SHOWN = 3  # so many names are told of pictures without a partner


class PairFiles(NamedTuple):
    """The files of one pair.

    Attributes:
        watermarked: The picture with a watermark.
        clean: The same without one.
        mask: Where the watermark is; None where no file says so.
    """

    watermarked: Path
    clean: Path
    mask: Path | None


def _same_stem(stem: str, known: Container[str]) -> str:
    return stem


def _photograph_of(stem: str, known: Container[str]) -> str:
    """Returns PHOTO of ``PHOTO-LOGO-NUMBER``: the longest beginning that a photograph is called."""
    parts = stem.split("-")
    if not parts[-1].isdigit():  # the published folders hold a few results of a model as well
        return stem
    beginnings = ("-".join(parts[:count]) for count in range(len(parts) - 2, 0, -1))
    return next((beginning for beginning in beginnings if beginning in known), stem)


class Layout(NamedTuple):
    """Folders of a data set below its root; ``{stage}`` stands for train, val or test.

    Attributes:
        watermarked: Folder of the pictures with a watermark.
        clean: Folder of those without.
        mask: Folder of the masks, which have the watermarked pictures' stems.
        mask_threshold: A mask's values above it, of 0..1, count as watermark.
        clean_stem: Returns the stem of the clean picture for that of a watermarked one and the clean ones there are.
    """

    watermarked: str
    clean: str
    mask: str
    mask_threshold: float
    clean_stem: Callable[[str, Container[str]], str] = _same_stem


# The thresholds are those that published evaluations use.
LAYOUTS: dict[LayoutName, Layout] = {
    "clwd": Layout("{stage}/Watermarked_image", "{stage}/Watermark_free_image", "{stage}/Mask", 0.1),
    "lvw": Layout("{stage}/image", "{stage}/background", "{stage}/mask", 0.1),
    "logo": Layout("{stage}_images/image", "natural", "{stage}_images/mask", 0.5, _photograph_of),
    "plain": Layout("{stage}/watermarked", "{stage}/clean", "{stage}/mask", 0.5),
}


def threshold_of(layout: LayoutName, given: float | None = None) -> float:
    """Returns what was given, or what a layout's published evaluations use."""
    return LAYOUTS[layout].mask_threshold if given is None else given


Found = dict[str, dict[str, PairFiles]]


def find_pairs(root: Path, name: LayoutName) -> Found:
    """Finds the pairs below a folder; tells in one line each of pictures without a partner and of masks.

    Returns:
        The pairs of each stage's folder that exists, by the path of the watermarked file relative to ``root``. The
        only one is ``UNSPLIT`` where a plain folder is not divided into stages.

    Raises:
        UserError: The folder has another layout, or holds no pair.
    """
    if not root.is_dir():
        raise ArgumentError("{root}={} is not a folder; give the folder that holds the pairs.", root)
    layout = LAYOUTS[name]
    stages = (*STAGE_FOLDERS, UNSPLIT) if name == "plain" else STAGE_FOLDERS
    folders = {stage: Path(layout.watermarked.format(stage=stage)) for stage in stages}
    there = [stage for stage, folder in folders.items() if (root / folder).is_dir()]
    if not there:
        *most, last = (folder.as_posix() for folder in folders.values())
        raise ArgumentError(
            "{root}={} has no folder {} or {}, which {layout}={} needs; give the folder that holds one, or another "
            "{layout} ({}).",
            root,
            ", ".join(most),
            last,
            name,
            ", ".join(LAYOUTS),
        )
    if UNSPLIT in there and len(there) > 1:
        raise ArgumentError(
            "{root}={} holds both watermarked/ and {}/watermarked; keep one of the two.", root, there[0]
        )
    found = {stage: _pairs_of(root, layout, stage) for stage in there}
    pairs = [files for stage_pairs in found.values() for files in stage_pairs.values()]
    given = sum(files.mask is not None for files in pairs)
    log.info("masks: %d are given, %d derived from the difference of the pair", given, len(pairs) - given)
    return found


def _pairs_of(root: Path, layout: Layout, stage: str) -> dict[str, PairFiles]:
    folder, clean_folder, mask_folder = (root / pattern.format(stage=stage) for pattern in layout[:3])
    if not clean_folder.is_dir():
        raise UserError(f"{clean_folder} is not a folder; the clean pictures of {folder} must be there.")
    watermarked, clean = _by_stem(folder), _by_stem(clean_folder)
    masks = _by_stem(mask_folder) if mask_folder.is_dir() else {}
    partners = {stem: layout.clean_stem(stem, clean) for stem in watermarked}
    pairs = {
        watermarked[stem].relative_to(root).as_posix(): PairFiles(watermarked[stem], clean[partner], masks.get(stem))
        for stem, partner in partners.items()
        if partner in clean
    }
    _tell_lonely([watermarked[stem] for stem, partner in partners.items() if partner not in clean], clean_folder)
    if "{stage}" in layout.clean:  # else the folder is there for other stages too
        used = set(partners.values())
        _tell_lonely([path for stem, path in clean.items() if stem not in used], folder)
    if not pairs:
        raise UserError(f"No picture of {folder} has its clean one in {clean_folder}; pairs go by their names.")
    return pairs


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in PHOTOGRAPHS:
            continue
        if path.stem in found:
            raise UserError(f"{folder} holds both {found[path.stem].name} and {path.name}; remove one of them.")
        found[path.stem] = path
    return found


def _tell_lonely(paths: Sequence[Path], folder: Path) -> None:
    if paths:
        names = ", ".join(path.name for path in paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")
        log.warning("skipped: %d in %s without a partner in %s: %s", len(paths), paths[0].parent, folder, names)


def check_sizes(sizes: Mapping[Path, str]) -> None:
    """Compares the sizes of one pair's pictures.

    Raises:
        UserError: They differ.
    """
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{path} has {size}" for path, size in sizes.items())
        raise UserError(f"The pictures of a pair must have one size: {told}; resize or remove them.")


def split_pairs(found: Found, seed: int, fractions: Sequence[float], val_fraction: float) -> Split:
    """Splits pairs as their folders do; draws by the seed what they leave open.

    The test stage is the folder test, or else val. Where validation has no folder of its own then, it is a share of
    train. Pairs that are not divided at all are split in three. What is drawn are clean photographs, so that all
    pairs made from one are in the same stage. Training and validation are empty where only a test folder is there.

    Args:
        found: What :func:`find_pairs` returns.
        seed: Chooses the shuffle.
        fractions: Shares of train, val and test of pairs that are not divided.
        val_fraction: Share of the folder train that validation gets.

    Raises:
        UserError: There are too few pairs.
    """
    left = dict(found)
    test = left.pop("test", None) or left.pop("val", None)
    undivided = left.pop(UNSPLIT, None) or left.pop("train", {})
    if test is None:
        return _drawn(undivided, seed, fractions)
    val = left.pop("val", None)
    if val is not None or not undivided:
        return Split(sorted(undivided), sorted(val or {}), sorted(test))
    return Split(*_divided(undivided, seed, val_fraction), sorted(test))


def _drawn(pairs: dict[str, PairFiles], seed: int, fractions: Sequence[float]) -> Split:
    groups = _by_photograph(pairs)
    drawn = split_names(groups, seed, fractions)
    return Split(*([name for photograph in stage for name in groups[photograph]] for stage in drawn))


def _divided(pairs: dict[str, PairFiles], seed: int, share: float) -> tuple[list[str], list[str]]:
    groups = _by_photograph(pairs)
    photographs = sorted(groups)
    if len(photographs) < 2:
        raise ArgumentError(
            "The train folder of {root} holds one photograph, which leaves none to validate on; add some."
        )
    np.random.default_rng(seed).shuffle(photographs)
    count = min(len(photographs) - 1, max(1, round(len(photographs) * share)))
    val, train = ([n for p in part for n in groups[p]] for part in (photographs[:count], photographs[count:]))
    return train, val


def _by_photograph(pairs: dict[str, PairFiles]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in sorted(pairs):
        groups.setdefault(pairs[name].clean.stem, []).append(name)
    return groups
