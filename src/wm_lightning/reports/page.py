"""One page that shows how good a model is: opens in any browser, without a network and without other files."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from wm_lightning.metrics.statistics import Interval
from wm_lightning.reports.gallery import FigureEntry
from wm_lightning.reports.groups import Group
from wm_lightning.reports.table import Shown

Picture = npt.NDArray[np.uint8]

SHARPEST = 512  # pixels of the longer side up to which examples are kept without loss
FIGURE_DPI = 100


class Row(NamedTuple):
    """A row of the headline table.

    Attributes:
        label: Whose scores these are.
        values: By the metric column of the model; what a row has no value for shows n/a.
    """

    label: str
    values: Mapping[str, Interval]


class Example(NamedTuple):
    """One picture before and after.

    Attributes:
        title: Why it is shown, and its name.
        caption: Its scores in words.
        before: (H, W, 3) uint8.
        after: Likewise.
        clean: Likewise.
    """

    title: str
    caption: str
    before: Picture
    after: Picture
    clean: Picture


class Report(NamedTuple):
    """Everything the page shows, from top to bottom.

    Attributes:
        title: The heading.
        facts: What was measured on what, by name.
        verdict: The result in a sentence.
        columns: Of the headline table.
        rows: Of the headline table.
        examples: Pictures to compare.
        groups: Scores by what pictures have in common.
        sections: Figures by heading.
    """

    title: str
    facts: Mapping[str, str]
    verdict: str
    columns: Sequence[Shown]
    rows: Sequence[Row]
    examples: Sequence[Example]
    groups: Mapping[str, Sequence[Group]]
    sections: Mapping[str, Sequence[FigureEntry]]


def write_page(report: Report, folder: Path) -> Path:
    """Writes ``index.html`` and each figure as ``figures/NAME.png``.

    Args:
        report: What to show.
        folder: Made where it is not there; files of an earlier report are replaced.

    Returns:
        The page's path.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    images = {}
    for entries in report.sections.values():
        for entry in entries:
            path = figures / f"{entry.name}.png"
            entry.draw().savefig(path, dpi=FIGURE_DPI)
            images[entry.name] = _data_url(path.read_bytes(), "png")
    environment = Environment(
        loader=PackageLoader("wm_lightning", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(picture=_embedded, signed=_signed, rounded=_rounded)
    pictures = max((value.pictures for row in report.rows for value in row.values.values()), default=0)
    page = environment.get_template("page.html").render(report=report, images=images, pictures=pictures)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _embedded(picture: Picture) -> str:
    """Returns a picture as a URL that holds it; large ones are compressed with little loss."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", lossless=max(picture.shape) <= SHARPEST, quality=90)
    return _data_url(buffer.getvalue(), "webp")


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _rounded(value: float, digits: int) -> str:
    return "n/a" if math.isnan(value) else f"{value:.{digits}f}"


def _signed(value: Interval, digits: int = 2) -> str:
    """Words a gain and its interval; n/a where there is none."""
    if not value.pictures:
        return "n/a"
    return f"{value.mean:+.{digits}f} ({value.low:+.{digits}f} to {value.high:+.{digits}f})"
