import json

import numpy as np
import pytest

from wm_lightning.app.painting import Painting
from wm_lightning.errors import UserError


def painting(*strokes):
    named = [dict(zip(("kind", "width", "points"), stroke, strict=True)) for stroke in strokes]
    return Painting.read(json.dumps(named))


def test_nothing_painted_is_nowhere():
    for text in ("", "[]"):
        assert not Painting.read(text).marked((40, 60)).any()
        assert not Painting.read(text).left_alone((40, 60)).any()


def test_strokes_are_shares_of_the_picture():
    one = painting(("mark", 0.1, [(0.25, 0.5), (0.75, 0.5)]))
    for height, width in ((40, 60), (400, 600)):
        rows, columns = np.nonzero(one.marked((height, width)))
        assert rows.mean() == pytest.approx(height / 2, abs=1)
        assert np.ptp(rows) == pytest.approx(width * 0.1, abs=2)
        assert columns.min() == pytest.approx(width * 0.2, abs=2)
        assert columns.max() == pytest.approx(width * 0.8, abs=2)
        assert not one.left_alone((height, width)).any()


def test_later_strokes_lie_over_earlier_ones_and_the_eraser_takes_all_away():
    line = [(0, 0.5), (1, 0.5)]
    left = [(0, 0.5), (0.2, 0.5)]
    both = painting(("mark", 0.1, line), ("leave", 0.1, left))
    marked, alone = both.marked((100, 100)), both.left_alone((100, 100))
    assert alone[50, 10]
    assert not marked[50, 10]
    assert marked[50, 90]
    assert not (marked & alone).any()
    erased = painting(("mark", 0.1, line), ("leave", 0.1, left), ("erase", 0.3, line))
    assert not erased.marked((100, 100)).any()
    assert not erased.left_alone((100, 100)).any()


def test_a_dot_is_a_stroke_and_strokes_may_leave_the_picture():
    assert painting(("leave", 0.1, [(0.5, 0.5)])).left_alone((100, 100)).sum() > 50
    assert painting(("leave", 0.1, [(-0.5, 0.5), (1.5, 0.5)])).left_alone((100, 100))[50].all()


@pytest.mark.parametrize(
    "text", ["{", "{}", '[{"kind": "burn", "width": 0.1, "points": [[0, 0]]}]', '[{"kind": "mark"}]',
             '[{"kind": "mark", "width": 2, "points": [[0, 0]]}]', '[{"kind": "mark", "width": 0.1, "points": []}]',
             '[{"kind": "mark", "width": 0.1, "points": [[0, 1e9]]}]'],
)  # fmt: skip
def test_what_is_no_painting_is_one_sentence(text):
    with pytest.raises(UserError, match=r"^The painting cannot be read \(.*\); give a JSON list of strokes\.$"):
        Painting.read(text)
