import re

import numpy as np
import pytest

from wm_lightning.data.synthesis.ranges import checked_frequencies, checked_range, checked_share, choose
from wm_lightning.errors import UserError

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("value", [(0, 1), [0.25, 0.5], (0.5, 0.5), (0, 0), (1, 1)])
def test_ranges_within_the_bounds_are_kept_as_they_are(value):
    assert checked_range("size", value, 0, 1) == tuple(value)


@pytest.mark.parametrize(
    "value",
    [(0.6, 0.5), (-0.1, 0.5), (0.5, 1.1), (), (0.5,), (0.1, 0.2, 0.3), (NAN, 0.5), (0.5, NAN), (0, INFINITE)],
)
def test_other_ranges_are_refused_with_the_key_the_value_and_the_bounds(value):
    shown = ",".join(map(str, value))
    with pytest.raises(UserError, match=re.escape(f"synthesis.sampler.size=[{shown}] must lie within 0..1")):
        checked_range("synthesis.sampler.size", value, 0, 1)


@pytest.mark.parametrize("value", [0, 0.3, 1])
def test_shares_from_0_to_1_are_kept(value):
    assert checked_share("opaque", value) == value


@pytest.mark.parametrize("value", [-0.001, 1.001, NAN, INFINITE])
def test_other_shares_are_refused_with_key_and_value(value):
    with pytest.raises(UserError, match=rf"synthesis\.sampler\.opaque={value} must lie within 0\.\.1"):
        checked_share("synthesis.sampler.opaque", value)


def test_frequencies_become_shares_and_those_of_0_are_left_out():
    assert checked_frequencies("kinds", {"a": 1, "b": 0, "c": 3}, ("a", "b", "c")) == {"a": 0.25, "c": 0.75}
    assert checked_frequencies("kinds", {"a": 0.2}, ("a", "b")) == {"a": 1}


@pytest.mark.parametrize("value", [{}, {"a": 0, "b": 0}, {"a": 2, "b": -1}, {"a": -1}])
def test_frequencies_below_0_or_all_0_are_refused_with_the_key(value):
    with pytest.raises(UserError, match=r"synthesis\.sampler\.kinds: frequencies must be numbers from 0 up"):
        checked_frequencies("synthesis.sampler.kinds", value, ("a", "b"))


@pytest.mark.parametrize("value", [{"a": NAN}, {"a": 1, "b": NAN}, {"a": INFINITE}])
def test_frequencies_that_are_no_finite_numbers_are_refused(value):
    with pytest.raises(UserError, match=r"synthesis\.sampler\.kinds"):
        checked_frequencies("synthesis.sampler.kinds", value, ("a", "b"))


def test_unknown_names_are_refused_together_with_the_known_ones():
    with pytest.raises(UserError, match=r"synthesis\.sampler\.kinds: stamp, sun unknown; choose from text, logo\."):
        checked_frequencies("synthesis.sampler.kinds", {"sun": 1, "text": 1, "stamp": 1}, ("text", "logo"))


def test_names_are_drawn_as_often_as_their_shares_say():
    generator = np.random.default_rng(0)
    shares = {"often": 0.7, "seldom": 0.1, "sometimes": 0.2}
    drawn = [choose(shares, generator) for _ in range(4000)]
    for name, share in shares.items():
        assert drawn.count(name) / 4000 == pytest.approx(share, abs=0.03)


def test_shares_that_fall_short_of_1_by_rounding_still_give_a_name():
    class AlmostOne:
        def random(self):
            return 1 - 2**-53

    assert choose({"a": 0.5, "b": 0.5 - 2**-52}, AlmostOne()) == "b"


def test_one_draw_takes_one_number():
    used, counted = np.random.default_rng(1), np.random.default_rng(1)
    choose({"a": 0.5, "b": 0.5}, used)
    counted.uniform()
    assert used.uniform() == counted.uniform()
