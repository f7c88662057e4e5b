"""What is told of a picture's marks."""

import numpy as np

from wm_lightning.inference.cleaning import Cleaned
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.marks import Mark

PIXELS = np.full((100, 200, 3), 90, np.uint8)


def _found(share, *certainties):
    after = PIXELS.copy()
    after[:, : round(200 * share)] += 1
    marks = tuple(Mark((10 * number, 5, 10 * number + 8, 25), one, 100) for number, one in enumerate(certainties))
    return Findings.of(PIXELS, Cleaned(after, np.zeros((100, 200), np.uint8), marks))


def test_of_an_untouched_picture_no_more_is_claimed_than_is_known():
    found = _found(0)
    assert found == Findings((200, 100))
    assert found.told() == "nothing found that is surely a watermark"


def test_the_largest_marks_are_told_with_their_places():
    assert _found(0.1, 0.93).told() == "1 mark, 10.0% of its pixels changed: 8x20 at 0,5 (93% sure)"
    told = _found(0.1, 0.9, 0.8, 0.7, 0.6, 0.6).told()
    assert told.startswith("5 marks, 10.0% of its pixels changed: 8x20 at 0,5 (90% sure), ")
    assert told.endswith("8x20 at 20,5 (70% sure) and 2 more")


def test_a_result_is_doubtful_where_much_changes_or_most_is_hardly_sure():
    assert _found(0.3, 0.95).doubt is None
    assert _found(0.31, 0.95).doubt == "31% of its pixels changed, which few watermarks cover"
    assert _found(0.1, 0.95, 0.89).doubt is None  # half of it is sure
    assert _found(0.1, 0.95, 0.89, 0.89).doubt == "what was found may belong to the picture"


def test_scripts_get_the_same():
    assert _found(0.1, 0.93456).as_json() == {
        "width": 200,
        "height": 100,
        "changed": 0.1,
        "marks": [{"box": [0, 5, 8, 25], "certainty": 0.9346, "pixels": 100, "known": False}],
        "warning": None,
    }
