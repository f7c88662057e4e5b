import json

import pytest

from wm_lightning.callbacks import read_history

OWN = [{"epoch": 1, "val/loss": 2.0}, {"epoch": 2, "val/loss": 1.0}]
WHOLE = [*OWN, {"epoch": 3, "val/loss": 1.5}]
CHECKPOINT = {"callbacks": {"RunSummary": {"history": OWN, "seconds": 1.0}, "Other": {}}}


@pytest.fixture
def saved(tmp_path):
    """Writes a run's summary; returns the path of its checkpoint."""

    def save(summary=None):
        (tmp_path / "checkpoints").mkdir()
        if summary is not None:
            (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        return tmp_path / "checkpoints" / "best.ckpt"

    return save


def test_a_summary_beside_the_checkpoint_tells_of_the_whole_run(saved):
    assert read_history(saved({"best_loss": 1.0, "history": WHOLE}), CHECKPOINT) == WHOLE


def test_a_relative_path_finds_its_summary_too(saved, monkeypatch):
    path = saved({"history": WHOLE})
    monkeypatch.chdir(path.parent.parent)
    assert read_history(path.relative_to(path.parent.parent), CHECKPOINT) == WHOLE
    monkeypatch.chdir(path.parent)
    assert read_history(path.relative_to(path.parent), CHECKPOINT) == WHOLE


def test_without_a_summary_the_checkpoint_tells_of_its_own_epochs(saved):
    assert read_history(saved(), CHECKPOINT) == OWN


@pytest.mark.parametrize("summary", [{}, {"history": WHOLE[:1]}], ids=["none", "of before a resume"])
def test_a_summary_that_knows_less_than_the_checkpoint_is_not_asked(saved, summary):
    assert read_history(saved(summary), CHECKPOINT) == OWN


def test_an_older_checkpoint_without_a_history_has_none(saved):
    assert read_history(saved(), {"callbacks": {}}) == []


def test_an_older_checkpoint_with_a_summary_beside_it_has_that(saved):
    assert read_history(saved({"history": WHOLE}), {"callbacks": {}}) == WHOLE
