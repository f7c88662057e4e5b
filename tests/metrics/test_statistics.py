import numpy as np
import pytest

from wm_lightning.metrics.statistics import bootstrap_mean

NAN = float("nan")


def test_the_interval_is_that_of_the_normal_approximation_where_it_holds():
    values = np.random.default_rng(1).normal(30, 4, 400)
    found = bootstrap_mean(list(values))
    half = 1.96 * values.std(ddof=1) / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)
    assert found.pictures == 400


def test_a_higher_level_gives_a_wider_interval():
    values = list(np.random.default_rng(2).uniform(0, 1, 50))
    narrow, wide = bootstrap_mean(values, level=0.5), bootstrap_mean(values, level=0.99)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_about_95_of_100_intervals_hold_the_true_mean():
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        found = bootstrap_mean(list(generator.exponential(1.0, 60)))
        held += found.low <= 1.0 <= found.high
    assert 86 <= held <= 99


def test_what_is_not_defined_is_left_out_and_counted():
    assert bootstrap_mean([1.0, NAN, 3.0, NAN]) == bootstrap_mean([1.0, 3.0])
    assert bootstrap_mean([1.0, NAN, 3.0]).pictures == 2


def test_no_picture_has_no_mean():
    found = bootstrap_mean([NAN])
    assert found.pictures == 0
    assert np.isnan(found[:3]).all()


@pytest.mark.parametrize("values", [[7.5], [7.5, 7.5, 7.5], [7.5, NAN]])
def test_values_that_do_not_differ_have_an_interval_without_width(values):
    assert bootstrap_mean(values)[:3] == (7.5, 7.5, 7.5)


def test_equal_values_give_equal_intervals():
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    assert bootstrap_mean(values) == bootstrap_mean(values)
