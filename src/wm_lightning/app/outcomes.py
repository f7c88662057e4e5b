"""What became of many pictures, and the archive they come in."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wm_lightning.inference.findings import Findings


class Outcome(NamedTuple):
    """What became of one picture among many.

    Attributes:
        name: Of its file.
        file: The clean picture; None where there is none.
        findings: What was found in it.
        notes: What was not kept.
        error: Why there is no result; None where there is one.
    """

    name: str
    file: Path | None = None
    findings: Findings = Findings()
    notes: tuple[str, ...] = ()
    error: str | None = None


def pack(outcomes: Sequence[Outcome], target: Path) -> Path:
    """Puts the clean pictures into one ZIP file; of pictures that have one name, later ones get a number.

    Returns:
        The file.
    """
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w") as archive:  # not compressed: pictures are
        for outcome in outcomes:
            if outcome.file is None:
                continue
            name, number = outcome.file.name, 1
            while name.lower() in taken:
                number += 1
                name = f"{outcome.file.stem}-{number}{outcome.file.suffix}"
            taken.add(name.lower())
            archive.write(outcome.file, name)
    return target
