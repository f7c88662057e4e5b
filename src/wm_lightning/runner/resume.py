"""Going on from a checkpoint: in which folder, and with which best checkpoint so far."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from wm_lightning.checkpoints import load_checkpoint, newest_checkpoint
from wm_lightning.files import replacing
from wm_lightning.runner.build import shown

log = logging.getLogger(__name__)


def settle_resume(config: DictConfig) -> None:
    """Settles which checkpoint to go on from, and where.

    A run's last checkpoint goes on in the run's own folder; any other one, each job of a multirun, and a run whose
    ``paths.output_dir`` was typed, begins a folder of its own, to which the best checkpoint so far is copied.

    Raises:
        UserError: The checkpoint cannot be used.
    """
    if config.ckpt_path == "last":
        config.ckpt_path = str(newest_checkpoint())
    load_checkpoint(config.ckpt_path)
    path = Path(config.ckpt_path).resolve()
    hydra = HydraConfig.get()
    placed = any(override.startswith("paths.output_dir=") for override in hydra.overrides.task)
    if hydra.mode != RunMode.MULTIRUN and not placed and path.name == "last.ckpt" and path.parent.name == "checkpoints":
        config.paths.output_dir = str(path.parents[1])
    else:
        _copy_best(path.with_name("best.ckpt"), Path(config.paths.output_dir) / "checkpoints" / "best.ckpt")
    log.info("goes on from %s in %s", shown(config.ckpt_path), shown(config.paths.output_dir))


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
            if state.get("best_model_score") is not None:
                _move_kept(state, keeper)
            # With another folder's name Lightning forgets the score, as it should where the file is gone.
            state.update(moved, dirpath=keeper.dirpath if best else None)


def _move_kept(state: dict[str, Any], keeper: ModelCheckpoint) -> None:
    """Says where those are that a callback keeps, and which is the worst of them, the first to be replaced."""
    assert keeper.dirpath is not None
    scores = {_moved(path, keeper.dirpath): score for path, score in state.get("best_k_models", {}).items()}
    scores.pop("", None)
    best = _moved(state["best_model_path"], keeper.dirpath)
    if best:
        scores.setdefault(best, state["best_model_score"])
    state["best_k_models"] = scores
    if scores:
        worst = (min if keeper.mode == "max" else max)(scores, key=lambda path: float(scores[path]))
        state["kth_best_model_path"], state["kth_value"] = worst, scores[worst]


def _moved(path: str | None, folder: str | Path) -> str:
    """Returns where a file is now; nothing where it is not there."""
    here = Path(folder) / Path(path).name if path else None
    return str(here) if here is not None and here.is_file() else ""
