import time

import numpy as np
import pytest

from wm_lightning.errors import TooLargeError
from wm_lightning.inference.watched import WatchedEngine

PICTURE = np.zeros((4, 4, 3), np.float32)


def test_it_tells_how_many_tiles_are_done_and_passes_on_what_is_found(engine):
    told = []
    watching = WatchedEngine(engine, told.append, 30, "photo.jpg")
    assert watching.knows_layers is engine.knows_layers
    found = [watching.correct(PICTURE + 0.9) for _ in range(2)]
    assert (found[0].mask == 1).all()
    assert told == [0, 1, 1, 2]


def test_a_picture_that_takes_too_long_is_given_up(engine, monkeypatch):
    clock = iter([0, 119, 121])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    watching = WatchedEngine(engine, lambda done: None, 2, "photo.jpg")
    watching.correct(PICTURE)
    with pytest.raises(
        TooLargeError, match=r"^photo\.jpg takes more than 2 minutes, the limit here; reduce it first\.$"
    ):
        watching.correct(PICTURE)
    assert len(engine.seen) == 1
