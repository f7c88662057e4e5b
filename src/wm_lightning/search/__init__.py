"""Hyperparameter search: ``space`` what may change, ``study`` what is remembered, ``run`` the trials, ``report``."""

from wm_lightning.search.run import search

__all__ = ["search"]
