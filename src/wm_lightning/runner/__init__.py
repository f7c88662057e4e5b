"""The commands' work; with ``cli.py`` the only place that knows both Hydra's objects and Lightning's."""

from wm_lightning.runner.checks import check_objective
from wm_lightning.runner.evaluation import evaluate
from wm_lightning.runner.previews import preview
from wm_lightning.runner.training import train

__all__ = ["check_objective", "evaluate", "preview", "train"]
