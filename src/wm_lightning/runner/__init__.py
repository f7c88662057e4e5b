"""The commands' work; with ``cli.py`` the only place that knows both Hydra's objects and Lightning's."""

from wm_lightning.runner.evaluation import evaluate
from wm_lightning.runner.previews import preview
from wm_lightning.runner.training import check_objective, train

__all__ = ["check_objective", "evaluate", "preview", "train"]
