"""What is shown of a model's test: tables, examples and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from wm_lightning.metrics.statistics import Interval, bootstrap_mean
from wm_lightning.models import RestorationNet
from wm_lightning.reports.figures.confusion import Confusion
from wm_lightning.reports.figures.curves import History
from wm_lightning.reports.figures.pictures import batch_view
from wm_lightning.reports.figures.scores import Score, summary_card
from wm_lightning.reports.gallery import FigureEntry, network_figures, picture_figures, score_figures, training_figures
from wm_lightning.reports.groups import PictureScore, group_scores
from wm_lightning.reports.page import Example, Picture, Report, Row
from wm_lightning.reports.table import Shown, shown_columns, verdict
from wm_lightning.types import Sample

EACH = 3  # examples of the best, of the median and of the worst
BATCH = 4  # pairs of the batch view


class Tested(NamedTuple):
    """A model's scores on the pictures of a test.

    Attributes:
        label: What the model is called.
        pictures: The scores of each picture.
    """

    label: str
    pictures: Sequence[PictureScore]


class Subject(NamedTuple):
    """The model a report is about.

    Attributes:
        net: Its network.
        restore: Restores (B, 3, H, W) as the test did.
        pair: Returns the test pair of an index.
        residuals: As for :func:`~wm_lightning.reports.gallery.score_figures`.
        confusion: Likewise.
        history: Of its training; empty where it is not known.
        costs: What it costs, by name, with units.
    """

    net: RestorationNet
    restore: Callable[[Tensor], Tensor]
    pair: Callable[[int], Sample]
    residuals: Tensor
    confusion: Confusion
    history: History
    costs: Mapping[str, str]


class Chosen(NamedTuple):
    """A picture to show.

    Attributes:
        why: Best, median or worst.
        picture: Its index.
    """

    why: str
    picture: int


def build_report(
    tests: Sequence[Tested], subject: Subject, columns: Sequence[str], title: str, facts: Mapping[str, str]
) -> Report:
    """Puts together what the page shows; keeps no more than a few pictures in memory.

    Args:
        tests: Of the model itself, then of those it is compared with, on the same pictures.
        subject: The model.
        columns: The metric columns of the headline table. Beside them, ``full`` must have been measured.
        title: The page's heading.
        facts: What was measured on what.
    """
    pictures = tests[0].pictures
    means = {column: _mean(pictures, column).mean for column in columns}
    shown = shown_columns(means)
    nothing = Row(
        "identity",
        {column.model: _mean(pictures, column.nothing) for column in shown if column.nothing is not None},
    )
    rows = [*(Row(test.label, {c.model: _mean(test.pictures, c.model) for c in shown}) for test in tests), nothing]
    groups = group_scores(pictures)
    chosen = choose_examples(pictures)
    median = chosen[len(chosen) // 2].picture
    sections = {
        "What it achieves": [
            _card(subject, shown, rows[0], nothing, len(pictures)),
            *score_figures(pictures, groups, subject.residuals, subject.confusion),
        ],
        "One picture": _picture_section(subject, median, chosen),
        "Inside the network": _network_section(subject, median),
        "Training": training_figures(subject.history),
    }
    return Report(
        title=title,
        facts=facts,
        verdict=verdict(means),
        columns=shown,
        rows=rows,
        examples=[_example(subject, choice, pictures[choice.picture]) for choice in chosen],
        groups=groups,
        sections={heading: entries for heading, entries in sections.items() if entries},
    )


def choose_examples(pictures: Sequence[PictureScore], each: int = EACH) -> list[Chosen]:
    """Returns the pictures with the best, the median and the worst gain, each picture once, best first.

    Pictures without a mark, which have no gain, are chosen where there are no others, by their PSNR.

    Args:
        pictures: At least one.
        each: How many of each at most; at least three pictures are needed for one of each.
    """

    def scores(column: str) -> dict[int, float]:
        values = {index: picture.scores[column] for index, picture in enumerate(pictures)}
        return {index: value for index, value in values.items() if not math.isnan(value)}

    worth = scores("gain") or scores("psnr")
    order = sorted(worth, key=lambda index: -worth[index])
    each = max(1, min(each, len(order) // 3))
    middle = (len(order) - each) // 2
    places = dict.fromkeys(range(len(order) - each, len(order)), "worst")
    places |= dict.fromkeys(range(middle, middle + each), "median")
    places |= dict.fromkeys(range(each), "best")  # the last word where there are fewer than three
    return [Chosen(places[place], order[place]) for place in sorted(places)]


def _mean(pictures: Sequence[PictureScore], column: str) -> Interval:
    return bootstrap_mean([picture.scores[column] for picture in pictures])


def _card(subject: Subject, shown: Sequence[Shown], model: Row, nothing: Row, pictures: int) -> FigureEntry:
    scores = [
        Score(
            column.heading.replace("\n", " "),
            model.values[key].mean,
            nothing.values[key].mean,
            column.digits,
            column.sign,
        )
        for column in shown
        if (key := column.model) in nothing.values and nothing.values[key].pictures
    ]
    return FigureEntry(
        "summary_card",
        "What the network is and costs, and what it achieves.",
        partial(summary_card, subject.costs, scores, f"{pictures} pictures"),
    )


def _example(subject: Subject, choice: Chosen, picture: PictureScore) -> Example:
    pair = subject.pair(choice.picture)
    scores, traits = picture.scores, picture.traits
    words = [
        f"{scores['psnr_input']:.2f} to {scores['psnr']:.2f} dB ({scores['psnr'] - scores['psnr_input']:+.2f})",
        *([f"inside the mask {scores['psnr_input_in']:.2f} to {scores['psnr_in']:.2f} dB"] if traits.coverage else []),
        f"{traits.coverage:.1%} covered",
        *([f"opacity {traits.opacity:.2f}"] if not math.isnan(traits.opacity) else []),
        *traits.kinds,
        *traits.languages,
    ]
    return Example(
        title=f"{choice.why}: {picture.name}",
        caption=", ".join(words),
        before=as_bytes(pair.watermarked),
        after=as_bytes(_restored(subject, pair)),
        clean=as_bytes(pair.clean),
    )


def _picture_section(subject: Subject, median: int, chosen: Sequence[Chosen]) -> list[FigureEntry]:
    pair = subject.pair(median)
    entries = picture_figures(pair.watermarked, _restored(subject, pair), pair.clean)
    spread = sorted({round(place * (len(chosen) - 1) / (BATCH - 1)) for place in range(BATCH)})
    pairs = [subject.pair(chosen[place].picture) for place in spread]
    view = partial(
        batch_view,
        torch.stack([pair.watermarked for pair in pairs]),
        torch.stack([_restored(subject, pair) for pair in pairs]),
        torch.stack([pair.clean for pair in pairs]),
        torch.stack([pair.mask for pair in pairs]),
        None if pairs[0].reference is None else torch.stack([p.reference for p in pairs if p.reference is not None]),
        count=BATCH,
    )
    return [*entries, FigureEntry("batch", "From the best to the worst: input, reference, predicted, clean.", view)]


def _network_section(subject: Subject, index: int) -> list[FigureEntry]:
    pair = subject.pair(index)
    return network_figures(subject.net, pair.watermarked, pair.clean, pair.mask)


def _restored(subject: Subject, pair: Sample) -> Tensor:
    return subject.restore(pair.watermarked[None])[0]


def as_bytes(picture: Tensor) -> Picture:
    """Turns (C, H, W) in 0..1 into (H, W, C) uint8."""
    levels = (picture.clamp(0, 1) * 255).round().to(torch.uint8)
    array: Picture = levels.permute(1, 2, 0).cpu().numpy()
    return array
