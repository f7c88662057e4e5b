"""How much evidence is asked for, as people say it."""

import math

import numpy as np
import pytest

from wm_lightning.errors import UserError
from wm_lightning.inference.search import SENSITIVITIES, Search, as_scales, as_sensitivity


@pytest.mark.parametrize(
    ("given", "number"),
    [("low", SENSITIVITIES["low"]), ("normal", Search().sensitivity), ("0.4", 0.4), (0, 0), (1, 1), (0.25, 0.25)],
)
def test_a_sensitivity_is_a_word_or_a_share(given, number):
    assert as_sensitivity(given) == number
    assert Search(as_sensitivity(given)).least_certainty == 1 - number


@pytest.mark.parametrize(("sensitivity", "least"), [(0, 1), (0.15, 1 - 0.15 * 1.15 / 2), (0.5, 1 - 0.375), (1, 0)])
def test_a_mark_that_covers_much_must_be_surer(sensitivity, least):
    shares = np.array([0, 0.01, 0.15, 0.16, 1])
    wanted = [1 - sensitivity] * 3 + [least] * 2
    assert Search(sensitivity).least_certainties(shares) == pytest.approx(wanted)


def test_words_are_in_order():
    assert 0 < SENSITIVITIES["low"] < SENSITIVITIES["normal"] < SENSITIVITIES["high"] < 1


@pytest.mark.parametrize("given", ["lots", "", -0.1, 1.1, "nan", math.inf, None, [0.2], {}])
def test_another_sensitivity_is_one_sentence(given):
    with pytest.raises(UserError, match=r"must be low, normal, high, or a number in 0\.\.1"):
        as_sensitivity(given)


@pytest.mark.parametrize(("given", "count"), [("auto", None), (None, None), (1, 1), ("3", 3), (2.0, 2)])
def test_scales_are_counted(given, count):
    assert as_scales(given) == count


@pytest.mark.parametrize("given", ["many", 0, -1, 1.5, "1.5", math.inf, math.nan, [1]])
def test_other_scales_are_one_sentence(given):
    with pytest.raises(UserError, match="must be auto, or a whole number from 1"):
        as_scales(given)
