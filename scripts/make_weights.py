"""Makes weights to ship, stage by stage: ``python scripts/make_weights.py general PHOTOS --logos LOGOS``.

The stages are listed in ``weights/general.yaml``; each begins with the weights of the one before. What is done is kept
in the output folder, so that the same command goes on after an interruption, in the middle of a training too. At the
end the weights are written as float16 and scored on held-out marks, and the scores become part of their card.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deepen import deepened
from omegaconf import OmegaConf

from wm_lightning.commands import override, shell
from wm_lightning.errors import UserError
from wm_lightning.trained import load, read, save
from wm_lightning.trained.weights import mean_of, write_weights

log = logging.getLogger("make_weights")
TOP = Path(__file__).resolve().parents[1]
QUIET = ("callbacks.early_stopping=null", "test=false")
SCORES = ("psnr_marked", "psnr_input_marked", "gain", "gain_in", "psnr_out", "f1", "psnr_unmarked")


class Stage(NamedTuple):
    """One step of a recipe.

    Attributes:
        name: Of its folder and its weights.
        train: Overrides of the training; empty where nothing is trained.
        below: Channels of levels that are added; see ``scripts/deepen.py``.
        mean: Earlier stages whose weights are averaged with this one's.
    """

    name: str
    train: tuple[str, ...] = ()
    below: tuple[int, ...] = ()
    mean: tuple[str, ...] = ()


class Recipe(NamedTuple):
    """How weights are made.

    Attributes:
        stages: In their order.
        scores: Overrides of ``evaluate.py`` by what its table is called.
    """

    stages: tuple[Stage, ...]
    scores: dict[str, list[str]]


class Places(NamedTuple):
    """Where things are.

    Attributes:
        output: What is done.
        photographs: Clean ones.
        logos: A folder of logos; None for none.
    """

    output: Path
    photographs: Path
    logos: Path | None

    def weights(self, name: str) -> Path:
        """Returns the file of a stage's weights."""
        return self.output / f"{name}.safetensors"

    def filled(self, overrides: Sequence[str]) -> list[str]:
        """Returns overrides with folders where they say PHOTOS and LOGOS; without logos, what needs them goes."""
        folders = {"PHOTOS": self.photographs, "LOGOS": self.logos}
        filled = []
        for one in overrides:
            key, _, value = one.partition("=")
            if value not in folders:
                filled.append(one)
            elif folders[value] is not None:
                filled.append(override(key, folders[value]))
        return filled


def read_recipe(path: Path) -> Recipe:
    """Reads a file of stages.

    Raises:
        UserError: It is missing, has no stages, or a stage says something else than what stages say.
    """
    if not path.is_file():
        names = ", ".join(sorted(found.stem for found in path.parent.glob("*.yaml")))
        raise UserError(f"{path} is missing; recipes are {names}.")
    content: Any = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(content, dict) or not content.get("stages"):
        raise UserError(f"{path} has no stages; list them below stages: as weights/general.yaml does.")
    return Recipe(tuple(_stage(node, path) for node in content["stages"]), content.get("scores", {}))


def _stage(node: dict[str, Any], path: Path) -> Stage:
    unknown = sorted(set(node) - set(Stage._fields))
    if unknown:
        known = ", ".join(Stage._fields)
        raise UserError(f"{path}: stage {node.get('name')} has {', '.join(unknown)}; keys are {known}.")
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
    return Stage(**given)


def make(recipe: Recipe, places: Places, start: str | None, more: Sequence[str]) -> Path:
    """Goes through the stages that are not done; returns the file of the last one's weights.

    Args:
        recipe: What to do.
        places: Where.
        start: Weights that the first stage begins with; None for random ones.
        more: Overrides of all trainings, such as ``trainer=gpu``.
    """
    before = start
    for stage in recipe.stages:
        written = places.weights(stage.name)
        if written.is_file():
            log.info("%s: done", stage.name)
        elif stage.below:
            if before is None:
                raise UserError(f"stage {stage.name} adds levels to a network; give it one: --weights FILE.")
            save(deepened(load(before), stage.below), written)
        else:
            _train(stage, places, before, more)
            trained = read(str(places.output / stage.name / "checkpoints" / "best.ckpt"))
            others = [read(str(places.weights(name))) for name in stage.mean]
            write_weights(mean_of([trained, *others]), written)
        before = str(written)
    assert before is not None
    return Path(before)


def _train(stage: Stage, places: Places, before: str | None, more: Sequence[str]) -> None:
    """Trains a stage, or goes on with it."""
    folder = places.output / stage.name
    last = folder / "checkpoints" / "last.ckpt"
    given = places.filled([*stage.train, *QUIET, *more, "data.root=PHOTOS"])
    if before is not None:
        given.append(override("model.widths", read(before)["config"]["model"]["widths"]))
    begun = override("ckpt_path", last) if last.is_file() else override("weights", before)
    _run("train", [*given, begun, override("hydra.run.dir", folder)])


def _run(program: str, overrides: Sequence[str]) -> None:
    """Runs a command of this project.

    Raises:
        UserError: It failed; it has said why.
    """
    log.info("%s", shell("python", f"{program}.py", *overrides))
    status = subprocess.run([sys.executable, str(TOP / f"{program}.py"), *overrides], check=False).returncode
    if status:
        raise UserError(f"{program}.py ended with status {status}; the same command goes on from what is done.")


def score(weights: Path, recipe: Recipe, places: Places) -> dict[str, dict[str, float]]:
    """Scores weights on every table of the recipe; returns the columns of each."""
    found = {}
    for name, overrides in recipe.scores.items():
        folder = places.output / "scores" / name
        given = places.filled([*overrides, "data.root=PHOTOS"])
        _run("evaluate", [override("ckpt", weights), *given, override("hydra.run.dir", folder)])
        table = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"]
        found[name] = {column: table[column] for column in SCORES if table.get(column) is not None}
    return found


def main() -> None:
    """Reads the command line and makes the weights."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", help="NAME of weights/NAME.yaml, or a file of your own like it")
    parser.add_argument("photographs", type=Path, help="folder of clean photographs")
    parser.add_argument("--logos", type=Path, help="folder of logos, PNG with transparency")
    parser.add_argument("--output", type=Path, help="what is done so far; outputs/weights/RECIPE unless given")
    parser.add_argument("--weights", metavar="FILE", help="what the first stage begins with; random unless given")
    parser.add_argument("--stage", help="the first stage: those before it are left out")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of all trainings, such as trainer=gpu")
    options = parser.parse_intermixed_args()
    try:
        _make_and_score(options)
    except UserError as error:
        sys.exit(f"error: {error}")


def _make_and_score(options: argparse.Namespace) -> None:
    own = Path(options.recipe)
    recipe = read_recipe(own if own.suffix else TOP / "weights" / f"{own}.yaml")
    names = [stage.name for stage in recipe.stages]
    if options.stage is not None:
        if options.stage not in names:
            raise UserError(f"--stage {options.stage}: stages are {', '.join(names)}.")
        recipe = recipe._replace(stages=recipe.stages[names.index(options.stage) :])
    output = (options.output or Path("outputs/weights") / own.stem).resolve()
    output.mkdir(parents=True, exist_ok=True)
    places = Places(output, options.photographs.resolve(), options.logos and options.logos.resolve())
    made = read(str(make(recipe, places, options.weights, options.overrides)))
    shipped = places.output / "shipped" / f"{own.stem}.safetensors"
    write_weights(made, shipped, half=True)
    card = {**made.get("card", {}), "metrics": score(shipped, recipe, places)}
    write_weights({**made, "card": card}, shipped, half=True)
    log.info("%s: %.2f MB", shipped, shipped.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
