"""Scores of pictures that have something in common: a kind of mark, a language, an opacity, a coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from wm_lightning.data.synthesis.traits import Traits
from wm_lightning.files import write_csv
from wm_lightning.metrics.statistics import Interval, bootstrap_mean

# Edges of the groups; the last one is closed. Half of what the synthesis makes covers less than a tenth.
OPACITY_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
COVERAGE_EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 1.0)


class PictureScore(NamedTuple):
    """One test picture.

    Attributes:
        name: The photograph's.
        scores: Its value of each metric column; NaN where it is not defined.
        traits: What its marks are like.
    """

    name: str
    scores: Mapping[str, float]
    traits: Traits


class Group(NamedTuple):
    """Pictures with something in common.

    Attributes:
        label: What it is.
        psnr: The model's, in dB.
        psnr_input: Of the identity.
        gain: The difference of the two, picture by picture.
        psnr_in: The model's inside the mask.
        psnr_input_in: Of the identity, there.
    """

    label: str
    psnr: Interval
    psnr_input: Interval
    gain: Interval
    psnr_in: Interval
    psnr_input_in: Interval


def group_scores(pictures: Sequence[PictureScore]) -> dict[str, list[Group]]:
    """Groups pictures by kind of mark, language, opacity and coverage.

    A picture with marks of several kinds or languages counts in each of them. What is not known of any picture, as of
    pairs that were not made here, has no groups.
    """
    ways: dict[str, Callable[[Traits], Iterable[str]]] = {
        "kind of mark": lambda traits: traits.kinds,
        "language": lambda traits: traits.languages,
        "opacity": _opacity,
        "kind of mark and opacity": lambda traits: [
            f"{kind}, {opacity}" for kind in traits.kinds for opacity in _opacity(traits)
        ],
        "coverage": _coverage,
    }
    return {title: groups for title, labels_of in ways.items() if (groups := _grouped(pictures, labels_of))}


def write_groups(groups: Mapping[str, Sequence[Group]], path: Path) -> None:
    """Writes a row for each group: what it is, how many pictures it has, and the mean of each score.

    Args:
        groups: As :func:`group_scores` returns them.
        path: Of a CSV file.
    """
    scores = Group._fields[1:]
    rows = (
        [title, group.label, group.psnr.pictures, *(getattr(group, score).mean for score in scores)]
        for title, members in groups.items()
        for group in members
    )
    write_csv(path, ["by", "group", "pictures", *scores], rows)


def write_traits(pictures: Sequence[PictureScore], path: Path) -> None:
    """Writes a row for each picture that says what its marks are like, for groups of one's own.

    Args:
        pictures: Those that were scored.
        path: Of a CSV file; ``kinds`` and ``languages`` are separated by spaces, ``opacity`` is empty where unknown.
    """
    rows = (
        [
            name,
            traits.coverage,
            None if math.isnan(traits.opacity) else traits.opacity,
            " ".join(traits.kinds),
            " ".join(traits.languages),
        ]
        for name, _, traits in pictures
    )
    write_csv(path, ["name", "coverage", "opacity", "kinds", "languages"], rows)


def _opacity(traits: Traits) -> Iterable[str]:
    return _bin(traits.opacity, OPACITY_EDGES, "{:.1f} to {:.1f}", 1.0)


def _coverage(traits: Traits) -> Iterable[str]:
    # Pictures without a mark have a score of another kind: how far they come back from 100 dB.
    return _bin(traits.coverage, COVERAGE_EDGES, "{:g} to {:g} %", 100.0) if traits.coverage else ("no mark",)


def _grouped(pictures: Sequence[PictureScore], labels_of: Callable[[Traits], Iterable[str]]) -> list[Group]:
    members: dict[str, list[PictureScore]] = {}
    for picture in pictures:
        for label in labels_of(picture.traits):
            members.setdefault(label, []).append(picture)
    return [_group(label, members[label]) for label in sorted(members, key=_rank)]


def _group(label: str, pictures: Sequence[PictureScore]) -> Group:
    def interval(value: Callable[[Mapping[str, float]], float]) -> Interval:
        return bootstrap_mean([value(picture.scores) for picture in pictures])

    return Group(
        label,
        psnr=interval(lambda scores: scores["psnr"]),
        psnr_input=interval(lambda scores: scores["psnr_input"]),
        gain=interval(lambda scores: scores["psnr"] - scores["psnr_input"]),
        psnr_in=interval(lambda scores: scores["psnr_in"]),
        psnr_input_in=interval(lambda scores: scores["psnr_input_in"]),
    )


def _bin(value: float, edges: Sequence[float], form: str, factor: float) -> Iterable[str]:
    """Returns the label of the bin that holds a value; none for NaN."""
    for low, high in pairwise(edges):
        if low <= value < high or value == high == edges[-1]:
            return (form.format(low * factor, high * factor),)
    return ()


def _rank(label: str) -> tuple[float, str]:
    """Sorts ranges by their numbers and names by their letters."""
    first = label.split(" ", 1)[0]
    return (float(first) if first.replace(".", "", 1).isdigit() else 0.0, label)
