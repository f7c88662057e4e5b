"""What the page does with a picture file; knows nothing of the page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.app.boxes import belonging
from wm_lightning.app.outcomes import Outcome
from wm_lightning.app.painting import Painting
from wm_lightning.app.previews import encoded, tinted
from wm_lightning.app.sessions import AbandonedError
from wm_lightning.errors import ArgumentError, TooLargeError, UserError
from wm_lightning.extras import needing
from wm_lightning.files import shipped_names
from wm_lightning.images.decoding import size_of
from wm_lightning.inference.choices import DEFAULT
from wm_lightning.inference.cleaning import Cleaned, clean_pixels
from wm_lightning.inference.encoding import file_of
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.files import plan, write_png, write_whole
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.given_masks import as_allowed, mask_values
from wm_lightning.inference.known import clean
from wm_lightning.inference.pictures import Picture, read_picture
from wm_lightning.inference.remover import EngineName, open_engine
from wm_lightning.inference.search import NORMAL, Search
from wm_lightning.inference.watched import WatchedEngine
from wm_lightning.mark.known import KnownMark

BYTES_A_PIXEL = 8  # of the largest file there is: four channels of 16 bits that are not compressed
BESIDE_PIXELS = 16_000_000  # bytes that a file may hold besides: profiles, EXIF, a thumbnail

WITHOUT_EVIDENCE = Search(sensitivity=1)

Tell = Callable[[int], None]
_LOG = logging.getLogger(__name__)


class Settings(NamedTuple):
    """How a picture is to be cleaned.

    Attributes:
        weights: One of :attr:`Cleaner.engines`.
        strength: How much of a mark is taken away, 0..1.
        sensitivity: How little evidence a mark needs, 0..1.
        painting: Where marks are, and what is to be left alone.
        mask: A picture of the same size that is white where pixels may change; None allows it everywhere.
        known: The mark, see :meth:`Cleaner.shared_mark`; None to seek marks.
    """

    weights: str
    strength: float = 1.0
    sensitivity: float = NORMAL
    painting: Painting = Painting()
    mask: Path | None = None
    known: KnownMark | None = None


class Result(NamedTuple):
    """What became of one picture.

    Attributes:
        file: The clean picture, of the input's name, format and size.
        mask: Where marks were found, a grey PNG of the picture's size.
        before: The input, upright and reduced.
        after: The clean picture, likewise.
        marks: Where marks were found, drawn over the picture, with the numbers of their boxes, likewise.
        findings: What was found in it.
        notes: What was not kept, each a few words.
        change: What was added to the picture, and the mask, for :meth:`Cleaner.without`.
        unseen: A mark was painted, and the network sees none there.
    """

    file: Path
    mask: Path
    before: Path
    after: Path
    marks: Path
    findings: Findings
    notes: tuple[str, ...]
    change: Path
    unseen: bool = False


class Cleaner:
    """Networks that are opened once, and limits on what they are given.

    Args:
        weights: Names or files, as for :class:`~wm_lightning.inference.remover.Remover`; the first is the default.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        engine: ``torch`` or ``onnx``; ``auto`` as for :class:`~wm_lightning.inference.remover.Remover`.
        max_megapixels: Of a picture; a larger one is refused before it is decoded.
        max_minutes: That a picture may take; one that takes longer is given up.
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
        engine: EngineName = "auto",
        max_megapixels: float = 100,
        max_minutes: float = 30,
        trust: Sequence[str] = (),
    ) -> None:
        self.max_megapixels = max_megapixels
        self.max_minutes = max_minutes
        self.max_bytes = round(max_megapixels * 1e6) * BYTES_A_PIXEL + BESIDE_PIXELS
        self.engines: dict[str, Engine] = {}
        for path in weights:
            name = Path(path).name
            if name in self.engines:
                raise ArgumentError("{weights} names {} twice; rename one of the files.", name)
            self.engines[name] = open_engine(path, device, engine, trust=trust)

    def clean(self, source: Path, folder: Path, settings: Settings, tell: Tell = lambda tiles: None) -> Result:
        """Cleans a picture; the file is to the byte what ``predict.py`` writes, given the same mask.

        Where a mark is painted, no evidence is asked for: whatever the network sees there is taken away.

        Args:
            source: The picture's file.
            folder: For the results; the input's own must be another.
            settings: How.
            tell: Is told how many tiles are done; how many there will be is not known before. What it raises ends the
                work.

        Raises:
            UserError: The picture is too large, damaged or of a format that cannot be read, or takes too long; the
                sentence names the file without its folder.
        """
        with _without_folder(source):
            picture = self._read(source)
            cleaned, unseen = self._cleaned(source, picture, settings, tell)
            change = folder / f"{source.stem}.change.npz"
            folder.mkdir(parents=True, exist_ok=True)
            # Mostly zeros, which take no space; unsigned differences come back when they are added.
            np.savez_compressed(change, change=cleaned.pixels - picture.pixels, mask=cleaned.mask)
            return _results(source, folder, picture, cleaned, change, unseen)

    def without(self, source: Path, folder: Path, result: Result, off: Collection[int]) -> Result:
        """Gives marks that were taken away back, without the network.

        Args:
            source: The picture's file.
            folder: For the results; another one than that of ``result``.
            result: Of :meth:`clean`.
            off: Which of its marks, counted from 0, are to be left alone: their pixels come back.
        """
        with _without_folder(source):
            picture = self._read(source)
            marks = result.findings.marks
            with np.load(result.change) as stored:
                change, mask = stored["change"], stored["mask"]
            given_back = belonging(marks, off, change.any(axis=-1) | (mask > 0))
            change[given_back], mask[given_back] = 0, 0
            pixels = picture.pixels + change
            left = tuple(mark for number, mark in enumerate(marks) if number not in off)
            again = _results(source, folder, picture, Cleaned(pixels, mask, left), result.change, result.unseen)
            return again._replace(marks=result.marks)

    def shared_mark(self, sources: Sequence[Path], tell: Callable[[str], None]) -> KnownMark:
        """Finds the mark that pictures share, as ``predict.py --same-mark`` does.

        Args:
            sources: The pictures' files; those that are too large or broken are passed over, of which
                :meth:`clean_each` tells.
            tell: Is told what is done, in sentences. What it raises ends the work.

        Raises:
            UserError: There are too few pictures, or they share no mark that can be measured.
        """
        with needing("Finding a shared mark"):
            from wm_lightning.mark.estimate import estimate_mark

        with _without_folder(*sources):
            return estimate_mark([source for source in sources if not self._too_large(source)], tell)

    def clean_each(
        self, sources: Sequence[Path], folder: Path, settings: Settings, tell: Tell = lambda tiles: None
    ) -> Iterator[Outcome]:
        """Cleans pictures one after the other; one that fails does not stop the others.

        Arguments are those of :meth:`clean`. Each result has a folder of its own below ``folder``, since two pictures
        may have one name.
        """
        for number, source in enumerate(sources):
            try:
                with _without_folder(source):
                    picture = self._read(source)
                    cleaned, _ = self._cleaned(source, picture, settings, tell)
                    file, notes = _write(source, folder / str(number), picture, cleaned)
                yield Outcome(source.name, file, Findings.of(picture.pixels, cleaned), notes)
            except AbandonedError:
                raise
            except Exception as error:  # the others go on
                yield Outcome(source.name, error=sentence_of(error, source.name))

    def _read(self, source: Path) -> Picture:
        if megapixels := self._too_large(source):
            raise TooLargeError(
                f"{source} has {megapixels:.1f} megapixels; at most {self.max_megapixels:g} are taken here, "
                "so reduce it first."
            )
        return read_picture(source, first=True)

    def _too_large(self, source: Path) -> float:
        """Returns how many megapixels a picture has; 0 where they are not too many."""
        width, height = size_of(source)
        megapixels = width * height / 1e6
        return megapixels if megapixels > self.max_megapixels else 0.0

    def _cleaned(self, source: Path, picture: Picture, settings: Settings, tell: Tell) -> tuple[Cleaned, bool]:
        """Returns a picture without its marks, and whether one was painted where the network sees none."""
        height, width = picture.pixels.shape[:2]
        marked = settings.painting.marked((height, width))
        kept = settings.painting.left_alone((height, width)) | marked
        allowed = self._allowed(settings.mask, (height, width))
        if kept.any():
            allowed = np.where(kept, np.float32(0), np.float32(1) if allowed is None else allowed)
        engine = WatchedEngine(self.engines[settings.weights], tell, self.max_minutes, source.name)
        cleaned = clean(
            engine, picture.pixels, settings.known, allowed, settings.strength, Search(settings.sensitivity)
        )
        if not marked.any():
            return cleaned, False
        there = marked.astype(np.float32)
        more = clean_pixels(engine, cleaned.pixels, there, settings.strength, WITHOUT_EVIDENCE)
        marks = tuple(sorted(cleaned.marks + more.marks, key=lambda mark: -mark.pixels))
        return Cleaned(more.pixels, np.maximum(cleaned.mask, more.mask), marks), not more.mask.any()

    def _allowed(self, mask: Path | None, size: tuple[int, int]) -> npt.NDArray[np.float32] | None:
        if mask is None:
            return None
        with _without_folder(mask):
            return as_allowed(mask_values(self._read(mask)), size)


def sentence_of(error: Exception, name: str) -> str:
    """Returns what to say of an error; of one that nobody thought of, the log has all."""
    if isinstance(error, UserError):
        return str(error)
    _LOG.error("%s failed", name, exc_info=error)
    return f"{name} failed: {type(error).__name__}: {error}."


def shipped_weights() -> list[str]:
    """Returns the names of the weights that come with this project, the default first."""
    return sorted(shipped_names(), key=lambda name: name != DEFAULT)


def _results(source: Path, folder: Path, picture: Picture, cleaned: Cleaned, change: Path, unseen: bool) -> Result:
    """Writes a picture and what is shown of it."""
    file, notes = _write(source, folder, picture, cleaned)
    found = tinted(picture.pixels, cleaned.mask, [mark.box for mark in cleaned.marks])
    previews = {"before": picture.pixels, "after": cleaned.pixels, "marks": found}
    places = {what: folder / f"{source.stem}.{what}.webp" for what in previews}
    for what, shown in previews.items():
        write_whole(encoded(picture, shown), places[what])
    mask = folder / f"{source.stem}.mask.png"
    write_png(Image.fromarray(cleaned.mask), mask)
    findings = Findings.of(picture.pixels, cleaned)
    return Result(file, mask, **places, findings=findings, notes=notes, change=change, unseen=unseen)


def _write(source: Path, folder: Path, picture: Picture, cleaned: Cleaned) -> tuple[Path, tuple[str, ...]]:
    (job,) = plan([str(source)], str(folder))
    content, notes = file_of(picture, cleaned.pixels, job.target.suffix)
    write_whole(content, job.target)
    return job.target, tuple(notes)


@contextmanager
def _without_folder(*sources: Path) -> Iterator[None]:
    """Takes files' folders out of an error's sentence: they are none of the user's."""
    try:
        yield
    except AbandonedError:
        raise
    except UserError as error:
        sentence = str(error)
        for source in sources:
            sentence = sentence.replace(str(source), source.name)
        raise UserError(sentence) from error
