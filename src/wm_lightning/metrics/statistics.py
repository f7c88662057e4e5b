"""What the scores of a sample of pictures say about all pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

LEVEL = 0.95
RESAMPLES = 2000


class Interval(NamedTuple):
    """A mean and how sure it is.

    Attributes:
        mean: The mean over pictures; NaN where there is none.
        low: Lower end of the confidence interval; equal to ``mean`` for a single picture.
        high: Its upper end.
        pictures: On how many the value is defined.
    """

    mean: float
    low: float
    high: float
    pictures: int


def bootstrap_mean(values: Sequence[float], level: float = LEVEL, seed: int = 0) -> Interval:
    """Returns the mean of a score over pictures with its bootstrap confidence interval.

    Percentiles of the means of resampled pictures (Efron, "Bootstrap methods: another look at the jackknife", 1979).

    Args:
        values: The score of each picture; NaN, where it is not defined, is left out.
        level: Share of such intervals that contain the true mean.
        seed: Of the resampling: equal values give equal intervals.
    """
    defined = np.asarray([value for value in values if not np.isnan(value)], dtype=np.float64)
    if not defined.size:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(defined.mean())
    if defined.size == 1 or np.ptp(defined) == 0:  # nothing that resampling could change
        return Interval(mean, mean, mean, int(defined.size))
    found = bootstrap(
        (defined,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="percentile",
        batch=max(1, 4_000_000 // defined.size),  # values held at a time: memory does not grow with the pictures
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high), int(defined.size))
