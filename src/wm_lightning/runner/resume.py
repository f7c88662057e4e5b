"""Going on from a checkpoint: whether it fits, in which folder, and with which best checkpoint so far."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from wm_lightning.data.datamodule import BaseDataModule
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import UserError
from wm_lightning.files import replacing
from wm_lightning.runner.build import absolute_paths, shown
from wm_lightning.runner.configuration import plain
from wm_lightning.runner.typed import command_to_go_on, recorded
from wm_lightning.trained import read

log = logging.getLogger(__name__)

# What a checkpoint keeps of a configuration: enough to rebuild data, model and loss.
REBUILT = ("model", "module", "loss", "data", "optim", "own_metrics", "seed")
# Keys of data that change no pair
HARMLESS = ("split_dir", "cache", "cache_dir", "cache_gb", "num_workers")
NAMED = 6  # keys in a sentence, which more would only make longer
RUNS = Path("outputs/train")  # where a run has its folder unless told otherwise


class Origin(NamedTuple):
    """The checkpoint that a run goes on from.

    Attributes:
        path: Of its file.
        checkpoint: Its content.
        differing: The keys whose values are not those of the run that wrote it.
    """

    path: str
    checkpoint: dict[str, Any]
    differing: list[str]

    def check_module(self, module: WatermarkRemoval) -> None:
        """Compares weights and optimizer with what is to take them.

        Raises:
            UserError: They do not fit.
        """
        states = (self.checkpoint["state_dict"], module.state_dict())
        saved, taken = ({key: value.shape for key, value in state.items()} for state in states)
        if saved != taken:
            raise self.refusal("its network is another one than this configuration's")
        scheduled = module.scheduler_factory is not None and bool(self.checkpoint["lr_schedulers"])
        # Whose state another kind cannot take
        if "optim.optimizer" in self.differing or (scheduled and "optim.scheduler" in self.differing):
            raise self.refusal("its optimizer or schedule is another one than this configuration's")

    def check_data(self, datamodule: BaseDataModule) -> None:
        """Compares the split; photographs that came to or left the same folder are only told, when the split is read.

        Raises:
            UserError: The configuration names other photographs.
        """
        assert datamodule.split is not None
        state = self.checkpoint.get(type(datamodule).__qualname__, {})
        other = any(key.split(".")[0] in ("data", "seed") for key in self.differing)
        if state.get("split") != datamodule.split.digest() and other:
            raise self.refusal(
                "it was trained on another split of photographs, so that this test split would hold some of them (a "
                "new run can begin from its weights: weights=PATH)"
            )

    def refusal(self, reason: str) -> UserError:
        """Returns the sentence that says why this run cannot go on, in what it differs, and what goes on."""
        begun = recorded(self.checkpoint, self.path)
        names = ", ".join(self.differing[:NAMED]) + (", ..." if len(self.differing) > NAMED else "")
        how = f"go on with: {command_to_go_on(begun, self.path)}" if begun else "repeat the overrides of its run."
        return UserError(f"ckpt_path={self.path}: {reason}; {f'not as in its run: {names}; ' if names else ''}{how}")


def settle_resume(config: DictConfig) -> Origin:
    """Settles which checkpoint to go on from, and where.

    A run's last checkpoint goes on in the run's own folder; any other one, each job of a multirun, and a run whose
    ``paths.output_dir`` was typed, begins a folder of its own, to which the best checkpoint so far is copied.

    Raises:
        UserError: The checkpoint cannot be used.
    """
    if config.ckpt_path == "last":
        config.ckpt_path = str(_newest_checkpoint())
    checkpoint = read(config.ckpt_path)
    if "optimizer_states" not in checkpoint:
        raise UserError(
            f"ckpt_path={config.ckpt_path} holds weights alone, so there is no run to go on with; begin a new one from "
            f"them: weights={config.ckpt_path}."
        )
    path = Path(config.ckpt_path).resolve()
    hydra = HydraConfig.get()
    placed = any(override.startswith("paths.output_dir=") for override in hydra.overrides.task)
    if hydra.mode != RunMode.MULTIRUN and not placed and path.name == "last.ckpt" and path.parent.name == "checkpoints":
        config.paths.output_dir = str(path.parents[1])
    else:
        _copy_best(path.with_name("best.ckpt"), Path(config.paths.output_dir) / "checkpoints" / "best.ckpt")
    log.info("goes on from %s in %s", shown(config.ckpt_path), shown(config.paths.output_dir))
    return Origin(shown(config.ckpt_path), checkpoint, _differing(checkpoint["config"], rebuilt(config)))


def _newest_checkpoint() -> Path:
    """Returns the last checkpoint of the run that wrote one last."""
    newest = max(RUNS.glob("*/*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise UserError(f"ckpt_path=last: no run below {RUNS} has finished an epoch; give a checkpoint's path.")
    return newest


def rebuilt(config: DictConfig) -> dict[str, Any]:
    """Returns what a checkpoint keeps of a configuration, with files and folders that are found from anywhere."""
    resolved = plain(config)
    return {key: absolute_paths(resolved[key]) if key in ("data", "loss") else resolved[key] for key in REBUILT}


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Returns the keys that two configurations differ in."""
    keys = [key for name in REBUILT for key in _differing_below(before.get(name), now[name], name)]
    keys = [key for key in keys if key not in {f"data.{name}" for name in HARMLESS}]
    return [key for key in keys if key != "data.seed" or "seed" not in keys]


def _differing_below(before: object, now: object, path: str) -> Iterator[str]:
    both = (before, now)
    if before == now:
        return
    if not (isinstance(before, dict) and isinstance(now, dict)) or before.get("_target_") != now.get("_target_"):
        yield path  # of another kind, all of whose keys may be others
        return
    for key in dict.fromkeys(key for node in both if isinstance(node, dict) for key in node):
        yield from _differing_below(before.get(key), now.get(key), f"{path}.{key}")


@rank_zero_only
def _copy_best(source: Path, target: Path) -> None:
    if source.is_file() and not target.exists():
        with replacing(target) as draft:
            shutil.copyfile(source, draft)


class BestSoFar(L.Callback):
    """Keeps the best checkpoint of a run that goes on in another place than where it began.

    Lightning forgets which checkpoint was the best when its folder has another name, and takes the next one for it.
    """

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Tells each callback that keeps checkpoints where they are now, before it looks."""
        keepers = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
        for keeper in keepers:
            state = checkpoint.get("callbacks", {}).get(keeper.state_key)
            if state is None or keeper.dirpath is None:
                continue
            moved = {
                field: _moved(state.get(field), keeper.dirpath) for field in ("best_model_path", "last_model_path")
            }
            best = moved["best_model_path"]
            _move_kept(state, keeper)
            # With another folder's name Lightning forgets the score, as it should where the file is gone.
            state.update(moved, dirpath=keeper.dirpath if best else None)


def _move_kept(state: dict[str, Any], keeper: ModelCheckpoint) -> None:
    """Says where those are that a callback keeps, and which is the worst of them, the first to be replaced."""
    assert keeper.dirpath is not None
    scores = {_moved(path, keeper.dirpath): score for path, score in (state.get("best_k_models") or {}).items()}
    scores.pop("", None)
    best = _moved(state.get("best_model_path"), keeper.dirpath)
    if best and state.get("best_model_score") is not None:
        scores.setdefault(best, state["best_model_score"])
    # What is named here Lightning may delete one day: nothing but what lies in the run's own folder.
    state["best_k_models"], state["kth_best_model_path"] = scores, ""
    if scores:
        worst = (min if keeper.mode == "max" else max)(scores, key=lambda path: float(scores[path]))
        state["kth_best_model_path"], state["kth_value"] = worst, scores[worst]


def _moved(path: str | None, folder: str | Path) -> str:
    """Returns where a file is now; nothing where it is not there."""
    here = Path(folder) / Path(path).name if path else None
    return str(here) if here is not None and here.is_file() else ""
