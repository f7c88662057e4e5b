"""What the page does with a picture file; knows nothing of the page."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.app.painting import Painting
from wm_lightning.app.previews import encoded, outlined, tinted
from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import shipped_names
from wm_lightning.inference.choices import DEFAULT
from wm_lightning.inference.cleaning import Cleaned, clean_pixels
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.files import plan, write_png, write_whole
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.pictures import Picture, file_of, read_picture
from wm_lightning.inference.remover import EngineName, open_engine
from wm_lightning.inference.search import NORMAL, Search

BYTES_A_PIXEL = 8  # of the largest file there is: four channels of 16 bits that are not compressed
BESIDE_PIXELS = 16_000_000  # bytes that a file may hold besides: profiles, EXIF, a thumbnail

Tell = Callable[[int], None]


class Result(NamedTuple):
    """What became of one picture.

    Attributes:
        file: The clean picture, of the input's name, format and size.
        mask: Where marks were found, a grey PNG of the picture's size.
        before: The input, upright and reduced.
        after: The clean picture, likewise.
        marks: Where marks were found, drawn over the picture, likewise.
        canvas: The input with what was found outlined, likewise.
        findings: What was found in it.
        notes: What was not kept, each a few words.
    """

    file: Path
    mask: Path
    before: Path
    after: Path
    marks: Path
    canvas: Path
    findings: Findings
    notes: tuple[str, ...]


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


class Cleaner:
    """Networks that are opened once, and limits on what they are given.

    Args:
        weights: Names or files, as for :class:`~wm_lightning.inference.remover.Remover`; the first is the default.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        engine: ``torch`` or ``onnx``.
        max_megapixels: Of a picture; a larger one is refused before it is decoded.
        trust: Packages beside this one whose networks the weights may be of.

    Attributes:
        engines: By the name to show: a file's name, or that of weights that come with this project.
        max_bytes: No picture within the limit has a larger file.

    Raises:
        UserError: Weights, the device or the engine's package are not there, or two files have one name.
    """

    def __init__(
        self,
        weights: Sequence[str],
        device: str = "auto",
        engine: EngineName = "torch",
        max_megapixels: float = 100,
        trust: Sequence[str] = (),
    ) -> None:
        self.max_megapixels = max_megapixels
        self.max_bytes = round(max_megapixels * 1e6) * BYTES_A_PIXEL + BESIDE_PIXELS
        self.engines: dict[str, Engine] = {}
        for path in weights:
            name = Path(path).name
            if name in self.engines:
                raise ArgumentError("{weights} names {} twice; rename one of the files.", name)
            self.engines[name] = open_engine(path, device, engine, trust=trust)

    def clean(
        self,
        source: Path,
        folder: Path,
        weights: str,
        strength: float = 1.0,
        sensitivity: float = NORMAL,
        painting: Painting | None = None,
        tell: Tell = lambda tiles: None,
    ) -> Result:
        """Cleans a picture; the file is to the byte what ``predict.py`` writes, given the same mask.

        Args:
            source: The picture's file.
            folder: For the results; the input's own must be another.
            weights: One of :attr:`engines`.
            strength: How much of a mark is taken away, 0..1.
            sensitivity: How little evidence a mark needs, 0..1.
            painting: Where pixels may change; None allows it everywhere.
            tell: Is told how many tiles are done; how many there will be is not known before.

        Raises:
            UserError: The picture is too large, damaged or of a format that cannot be read; the sentence names the
                file without its folder.
        """
        with _without_folder(source):
            picture = self._read(source)
            allowed = None if painting is None else painting.allowed(picture.pixels.shape[:2])
            search = Search(sensitivity)
            file, cleaned, notes = self._write(source, folder, picture, weights, strength, search, allowed, tell)
        seen, pixels, mask = picture.pixels, cleaned.pixels, cleaned.mask
        previews = {"before": seen, "after": pixels, "marks": tinted(seen, mask), "canvas": outlined(seen, mask)}
        places = {what: folder / f"{source.stem}.{what}.webp" for what in previews}
        for what, shown in previews.items():
            write_whole(encoded(picture, shown), places[what])
        mask_file = folder / f"{source.stem}.mask.png"
        write_png(Image.fromarray(mask), mask_file)
        findings = Findings.of(seen, cleaned)
        return Result(file, mask_file, **places, findings=findings, notes=notes)

    def clean_each(
        self,
        sources: Sequence[Path],
        folder: Path,
        weights: str,
        strength: float = 1.0,
        sensitivity: float = NORMAL,
    ) -> Iterator[Outcome]:
        """Cleans pictures one after the other; one that fails does not stop the others.

        Arguments are those of :meth:`clean`. Each result has a folder of its own below ``folder``, since two pictures
        may have one name.
        """
        search = Search(sensitivity)
        for number, source in enumerate(sources):
            try:
                with _without_folder(source):
                    picture = self._read(source)
                    place = folder / str(number)
                    file, cleaned, notes = self._write(source, place, picture, weights, strength, search)
                findings = Findings.of(picture.pixels, cleaned)
                yield Outcome(source.name, file, findings, notes)
            except UserError as error:
                yield Outcome(source.name, error=str(error))

    def _read(self, source: Path) -> Picture:
        width, height = _size(source)
        if width * height > self.max_megapixels * 1e6:
            raise UserError(
                f"{source} has {width * height / 1e6:.1f} megapixels; at most {self.max_megapixels:g} are taken here, "
                "so reduce it first."
            )
        return read_picture(source)

    def _write(
        self,
        source: Path,
        folder: Path,
        picture: Picture,
        weights: str,
        strength: float,
        search: Search,
        allowed: npt.NDArray[np.float32] | None = None,
        tell: Tell = lambda tiles: None,
    ) -> tuple[Path, Cleaned, tuple[str, ...]]:
        (job,) = plan([str(source)], str(folder))
        engine = _Watched(self.engines[weights], tell)
        cleaned = clean_pixels(engine, picture.pixels, allowed, strength, search)
        content, notes = file_of(picture, cleaned.pixels, job.target.suffix)
        write_whole(content, job.target)
        return job.target, cleaned, tuple(notes)


def shipped_weights() -> list[str]:
    """Returns the names of the weights that come with this project, the default first."""
    return sorted(shipped_names(), key=lambda name: name != DEFAULT)


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


class _Watched:
    """An engine that tells how many tiles it has done."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        self.engine, self.tell, self.knows_layers = engine, tell, engine.knows_layers
        self.done = 0

    def correct(self, picture: npt.NDArray[np.float32]) -> Correction:
        found = self.engine.correct(picture)
        self.done += 1
        self.tell(self.done)
        return found


def _size(source: Path) -> tuple[int, int]:
    """Returns width and height as a file's first bytes say; 0 where they say nothing, which reading it explains."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source) as opened:
                width, height = opened.size
                return width, height
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0, 0


@contextmanager
def _without_folder(source: Path) -> Iterator[None]:
    """Takes a file's folder out of an error's sentence: it is none of the user's."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(source), source.name)) from error
