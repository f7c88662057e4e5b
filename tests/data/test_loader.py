import logging

import pytest
import torch

from wm_lightning.data.loader import Drawn, collate_drawn, note_broken
from wm_lightning.types import PackedSample


def sample(value):
    picture = torch.full((2, 2, 3), value, dtype=torch.uint8)
    return PackedSample(picture, None, picture, picture[..., :1], None, None, str(value))


def test_a_batch_has_what_was_drawn_and_says_what_was_not():
    batch, broken = collate_drawn(Drawn([sample(1), sample(2)], {"a": "cut"}))
    assert batch.name == ["1", "2"]
    assert batch.clean[:, 0, 0, 0].tolist() == [1, 2]
    assert broken == {"a": "cut"}
    assert collate_drawn(Drawn([], {"a": "cut"})) == (None, {"a": "cut"})


@pytest.mark.parametrize("in_worker", [False, True])
def test_a_broken_picture_is_named_once_and_by_the_process_that_trains(caplog, monkeypatch, in_worker):
    monkeypatch.setattr("wm_lightning.data.loader.get_worker_info", lambda: object() if in_worker else None)
    broken = {}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            note_broken(broken, "a.jpg", "cut")
    assert broken == {"a.jpg": "cut"}
    assert caplog.messages == ([] if in_worker else ["skipped: a.jpg cannot be used: cut"])
