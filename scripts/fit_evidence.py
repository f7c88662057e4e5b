"""Fits what makes inference sure of a mark: ``python scripts/fit_evidence.py PHOTOS OUT.safetensors --logos FOLDER``.

PHOTOS must carry no marks; those that the network was trained on serve as well, but the logos must be unknown to it.
Each is looked at at its own size and another, as it is, with one small mark of ``synthesis=real`` and with wide ones;
so are pages, screens and drawings that take its place. That takes some six seconds of a core a photograph. What was
found is kept in the folder OUT.found, where a run that was stopped goes on; remove it if the network, the logos or a
photograph is another one.

Whatever the network finds is a mark or none, which is known here, and logistic regression tells them apart by their
traits; the true marks of a picture weigh as much as one, and so do the false ones, since a picture is as good as spoilt
by the first. Its ridge is strong: what holds of drawn marks, one trait given all others, holds less of people's. The
certainties are then calibrated on photographs that a fit has not seen. Fits twice: with the traits alone, for any
network, and with the network's features as well, of which a ridge that is stronger still makes one trait
(``recognised``). Prints the numbers for ``src/wm_lightning/inference/evidence.py``, and how each fit does on such
photographs: the shares of true and of false marks above each certainty, and of unmarked pictures with a mark above it.
OUT is the network with the weights of its features.
"""

from __future__ import annotations

import argparse
import logging
import sys
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import hydra
import numpy as np
import numpy.typing as npt
import torch
from hydra.utils import instantiate
from mark_features import MarkFeatures

from wm_lightning.commands import override
from wm_lightning.data.scenes import Scenes
from wm_lightning.data.synthesis import Synthesizer
from wm_lightning.files import CONF, pictures_below
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.evidence import gather, linear
from wm_lightning.inference.marks import find_marks
from wm_lightning.inference.pictures import read_picture
from wm_lightning.inference.pixels import Pixels, as_bytes
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.scales import View, seen
from wm_lightning.inference.search import AS_USUAL
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.inference.traits import Traits
from wm_lightning.trained import read
from wm_lightning.trained.weights import SUFFIX, write_weights

log = logging.getLogger("fit_evidence")
LARGE, SMALL = 600, 400  # pixels: longer sides of pictures that are halved, and that are enlarged
KINDS = {"page": 2, "screen": 2, "diagram": 1, "poster": 1, "cartoon": 0.5, "drawing": 1, "sign": 1}
TRUE, FALSE = 0.5, 0.15  # shares of marked pixels above and below which what was found is a mark, or none
KEPT = ".found"
FOLDS = 5
RIDGE = 0.03  # of the weights of standardised traits
FEATURES_RIDGE = 0.2  # of those of standardised features
LEVELS = (0.5, 0.7, 0.8, 0.85, 0.9, 0.95)
# What is drawn: a corner's logo, a date or a name, and what lies across a picture or all over it
MARKS = (
    {"size": "[0.02,0.2]", "tiled_size": "[0.05,0.2]", "count": "[1,1]"},
    {"size": "[0.15,0.9]", "tiled_size": "[0.08,0.4]", "count": "[1,2]"},
)


class Found(NamedTuple):
    """What a network found in pictures.

    Attributes:
        traits: Of each mark, as the regression takes them, (N, T).
        features: Of each, the means of the network's, (N, C).
        true: Whether it is one, (N,).
        photographs: The number of the photograph that it was found in, or in whose place, (N,).
        pictures: The number of the unmarked picture that it was found in, (N,); -1 of marked ones.
        weights: Of each, (N,): those of a picture that are marks, and those that are none, have 1 together.
    """

    traits: npt.NDArray[np.float64]
    features: npt.NDArray[np.float64]
    true: npt.NDArray[np.bool_]
    photographs: npt.NDArray[np.int64]
    pictures: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


def sizes(pixels: Pixels) -> Iterator[Pixels]:
    """Yields a picture as it is, and at other sizes that inference may see it at."""
    yield pixels
    longer = max(pixels.shape[:2])
    scales = [0.5, 0.25] if longer > LARGE else [2.0] if longer < SMALL else []
    for scale in scales:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        yield np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how))


def look(
    engine: Engine,
    features: MarkFeatures,
    pixels: Pixels,
    marked: npt.NDArray[np.bool_],
    photograph: int,
    unmarked: int = -1,
) -> Found:
    """Finds marks in a picture of which the marked pixels, (H, W), are known; an unmarked one has a number."""
    view = View(pixels)
    marks = find_marks(seen(engine, view, AS_USUAL))
    worth = marks.worth_a_look()
    marks = marks.only(worth)
    traits = gather(engine, view.tile, marks, AS_USUAL)._replace(recognised=None)
    share = np.bincount(marks.numbers()[marked], minlength=len(marks.areas)) / np.maximum(marks.areas, 1)
    chosen = worth & ((share > TRUE) | (share < FALSE))
    true = share[chosen] > TRUE
    weights = 1 / np.where(true, true.sum(), (~true).sum())
    count, means = len(true), features.measure(view.tile, marks, AS_USUAL)[chosen]
    return Found(linear(traits)[chosen], means, true, np.full(count, photograph), np.full(count, unmarked), weights)


def look_at(
    engine: TorchEngine, features: MarkFeatures, path: Path, drawers: Sequence[Synthesizer], seed: int
) -> tuple[Found, int]:
    """Looks at photograph 0 and at a scene in its place; returns how many pictures without a mark that was, too."""
    generator = np.random.default_rng(seed)
    photograph = as_bytes(read_picture(path).pixels)
    scene = Scenes(KINDS, p=1).apply(np.ascontiguousarray(photograph[:900, :1000]), seed=seed)
    found, unmarked = [], 0
    for pixels in (*islice(sizes(photograph), 2), scene):
        pixels = np.ascontiguousarray(pixels)
        found.append(look(engine, features, pixels, np.zeros(pixels.shape[:2], np.bool_), 0, unmarked))
        unmarked += 1
        for draw in drawers:
            view = draw(pixels, generator)
            found.append(look(engine, features, np.asarray(view.image), np.asarray(view.mask, np.bool_), 0))
    return together(found), unmarked


def together(found: Sequence[Found]) -> Found:
    """Returns what was found in several pictures as one."""
    return Found(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def collect(
    engine: TorchEngine, folder: Path, names: Sequence[Path], drawers: Sequence[Synthesizer], kept: Path
) -> tuple[Found, int]:
    """Looks at a folder's photographs, but for those of which another has what was found in them.

    What is drawn depends on a photograph's path in the folder alone, so that it may grow. Returns what was found, and
    how many of the pictures had no mark.
    """
    found, unmarked, features = [], 0, MarkFeatures(engine)
    for number, name in enumerate(names):
        file = kept / name.with_name(f"{name.name}.npz")
        if not file.is_file():
            one, count = look_at(engine, features, folder / name, drawers, zlib.crc32(name.as_posix().encode()))
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_name(f".{file.name}")  # which is not taken for a result if it is cut short
            np.savez(draft, unmarked=count, **one._asdict())
            draft.replace(file)
            log.info("%d of %d: %s", number + 1, len(names), name)
        with np.load(file) as stored:
            one = Found(*(stored[name] for name in Found._fields))
            pictures = np.where(one.pictures < 0, -1, one.pictures + unmarked)
            found.append(one._replace(photographs=np.full(len(one.true), number), pictures=pictures))
            unmarked += int(stored["unmarked"])
    return together(found), unmarked


def regression(
    given: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.float64],
    ridge: float | npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Returns the weights of logistic regression, (T + 1,), the constant last.

    Args:
        given: (N, T).
        wanted: (N,).
        counts: How much each weighs, (N,).
        ridge: Times the squared weights, as of standardised traits, is added to the mean loss; one, or (T,).
    """
    mean, spread = given.mean(axis=0), given.std(axis=0) + 1e-9
    traits, truth, share = (torch.from_numpy(part) for part in ((given - mean) / spread, wanted * 1.0, counts))
    times = torch.as_tensor(ridge, dtype=torch.float64)
    weights = torch.zeros(given.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        evidence = traits @ weights[:-1] + weights[-1]
        losses = torch.nn.functional.binary_cross_entropy_with_logits(evidence, truth, reduction="none")
        loss = (share * losses).sum() / share.sum() + (times * weights[:-1] ** 2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    best = weights.detach().numpy()
    return np.append(best[:-1] / spread, best[-1] - (best[:-1] * mean / spread).sum())


def fit(
    found: Found, given: npt.NDArray[np.float64], ridge: float | npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns the weights of what is given of each mark, (T + 1,), the constant last, and its certainty, (N,).

    A ridge makes the weights too small, so both are scaled to what is true of marks in photographs that weights were
    not fitted on. The certainties are of such weights.

    Args:
        found: The marks.
        given: (N, T).
        ridge: As of :func:`regression`.
    """
    evidence = np.zeros(len(found.true))
    for fold in range(FOLDS):
        held = found.photographs % FOLDS == fold
        weights = regression(given[~held], found.true[~held], found.weights[~held], ridge)
        evidence[held] = given[held] @ weights[:-1] + weights[-1]
    scale, offset = regression(evidence[:, None], found.true, found.weights, 0.0)
    weights = scale * regression(given, found.true, found.weights, ridge)
    weights[-1] += offset
    return weights, 1 / (1 + np.exp(-(scale * evidence + offset)))


def tell(found: Found, certainty: npt.NDArray[np.float64], unmarked: int) -> None:
    """Prints how a fit does, by the certainty of each mark, (N,), and the count of unmarked pictures."""
    log.info("\n| certainty | true marks above it | false ones | unmarked pictures with one |\n|---:|---:|---:|---:|")
    for level in LEVELS:
        above = certainty >= level
        shares = [100 * np.average(above[of], weights=found.weights[of]) for of in (found.true, ~found.true)]
        alarms = set(found.pictures[above & (found.pictures >= 0)].tolist())
        log.info("| %.2f | %.1f %% | %.1f %% | %.1f %% |", level, *shares, 100 * len(alarms) / unmarked)


def both(found: Found, unmarked: int) -> npt.NDArray[np.float64]:
    """Fits without and with the features, prints both, and returns the weights of the features, (C,)."""
    log.info("\nof %d true and %d false marks:", found.true.sum(), (~found.true).sum())
    weights, certainty = fit(found, found.traits, RIDGE)
    tell(found, certainty, unmarked)
    _print("OTHERS", weights[:-1], weights[-1])
    count = found.traits.shape[1]
    ridges = np.repeat([RIDGE, FEATURES_RIDGE], [count, found.features.shape[1]])
    weights, certainty = fit(found, np.concatenate((found.traits, found.features), axis=1), ridges)
    tell(found, certainty, unmarked)
    # What the features say has its weights in the network, and counts once
    _print("RECOGNISING", np.append(weights[:count], 1.0), weights[-1])
    return weights[count:-1]


def _print(name: str, weights: npt.NDArray[np.float64], constant: float) -> None:
    named = ", ".join(f'"{trait}": {value:.3f}' for trait, value in zip(Traits._fields, weights, strict=False))
    log.info("\n%s = Weights({%s}, %.3f)", name, named, constant)


def write(weights: str, recognition: npt.NDArray[np.float64], path: Path) -> None:
    """Writes a network's weights with those of its features, (C,), in half precision as shipped ones are."""
    checkpoint = read(weights)
    state = checkpoint["state_dict"] | {"net.recognition.weight": torch.from_numpy(recognition).float()}
    write_weights({**checkpoint, "state_dict": state}, path, half=True)


def drawers(logos: Path | None) -> Iterator[Synthesizer]:
    """Yields what draws small marks, and wide ones."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        for ranges in MARKS:
            changes = [f"synthesis.sampler.{name}={value}" for name, value in ranges.items()]
            changes += [override("synthesis.logos", str(logos.resolve()))] if logos else []
            config = hydra.compose("train", overrides=["synthesis=real", "synthesis.unmarked=0", *changes])
            yield instantiate(config.synthesis)


def main() -> None:
    """Looks, fits and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path, help=f"the weight file to write; ends in {SUFFIX}")
    parser.add_argument("--logos", type=Path, help="a folder of logos that the network was not trained on")
    parser.add_argument("--weights", default="general")
    options = parser.parse_args()
    folder = options.photographs
    names = sorted(path.relative_to(folder) for path in pictures_below(folder))
    if len(names) < FOLDS:
        parser.error(f"{folder} holds {len(names)} pictures; give a folder of {FOLDS} or more")
    if options.out.suffix != SUFFIX:
        parser.error(f"{options.out} must end in {SUFFIX}")
    engine = open_engine(options.weights)
    assert isinstance(engine, TorchEngine)
    kept = options.out.with_suffix(KEPT)
    found, unmarked = collect(engine, folder, names, list(drawers(options.logos)), kept)
    write(options.weights, both(found, unmarked), options.out)


if __name__ == "__main__":
    main()
