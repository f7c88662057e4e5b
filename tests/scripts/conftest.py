"""Lets tests import scripts, which lie beside each other and not in the package."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _beside(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    before = set(sys.modules)
    yield
    for name in {
        "fit_evidence",
        "collect_hard",
        "draw_structure",
        "deepen",
        "make_weights",
        "print_pages",
        "draw_configuration",
        "ship_graphs",
        "site_hooks",
    } & (set(sys.modules) - before):
        del sys.modules[name]
