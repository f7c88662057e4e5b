import math

import pytest
import torch

from wm_lightning.reports.figures import residual_counts, residual_histogram
from wm_lightning.reports.figures.histogram import BINS, CENTRES


def pictures(levels):
    """(1, 3, 1, N) pictures of the given grey levels in 0..255."""
    return torch.tensor(levels, dtype=torch.float32).div(255).view(1, 1, 1, -1).expand(1, 3, 1, -1)


def occupied(counts):
    return {round(float(CENTRES[bin_]) * 255): int(counts[bin_]) for bin_ in counts.nonzero().flatten()}


def test_residuals_land_in_the_bin_of_their_grey_levels():
    counts = residual_counts(pictures([10, 10, 20, 0, 255]), pictures([10, 12, 17, 255, 0]))
    assert occupied(counts) == {0: 3, -2: 3, 3: 3, -255: 3, 255: 3}
    assert counts.shape == (BINS,)
    assert counts.dtype == torch.int64


def test_values_beyond_the_range_fall_into_the_outer_bins():
    assert occupied(residual_counts(pictures([600, -600]), pictures([0, 0]))) == {255: 3, -255: 3}


def test_only_pixels_of_the_region_count():
    region = torch.tensor([1.0, 0.0, 1.0]).view(1, 1, 1, 3)
    assert occupied(residual_counts(pictures([1, 2, 3]), pictures([0, 0, 0]), region)) == {1: 3, 3: 3}


def test_counts_of_parts_add_up_to_those_of_the_whole():
    generator = torch.Generator().manual_seed(0)
    prediction, clean = (torch.rand((5, 3, 37, 31), generator=generator) for _ in range(2))
    parts = residual_counts(prediction[:2], clean[:2]) + residual_counts(prediction[2:], clean[2:])
    whole = residual_counts(prediction, clean)
    assert torch.equal(parts, whole)
    assert whole.sum() == prediction.numel()


def test_heights_are_shares_in_percent():
    model = residual_counts(pictures([1, 1, 1, 2]), pictures([0] * 4))
    identity = residual_counts(pictures([5] * 4), pictures([0] * 4))
    linear, logarithmic = residual_histogram(model, identity).axes
    nothing, ours = linear.lines
    heights = dict(zip((CENTRES * 255).round().int().tolist(), ours.get_ydata(), strict=True))
    assert heights[1] == pytest.approx(75)
    assert heights[2] == pytest.approx(25)
    assert sum(heights.values()) == pytest.approx(100)
    assert max(nothing.get_ydata()) == pytest.approx(100)
    assert logarithmic.get_yscale() == "log"
    assert sum(value for value in logarithmic.lines[1].get_ydata() if not math.isnan(value)) == pytest.approx(100)


def test_the_legend_states_the_means():
    counts = residual_counts(pictures([51, 0]), pictures([0, 0]))  # 0.2 and 0
    figure = residual_histogram(counts, residual_counts(pictures([0]), pictures([0])))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [
        "identity: mean |residual| 0.0000, 0.00 % beyond 0.1",
        "model: mean |residual| 0.1000, 50.00 % beyond 0.1",
    ]


def test_the_linear_panel_shows_nearly_all_residuals():
    counts = residual_counts(pictures([60] * 50 + [250]), pictures([0] * 51))
    linear, logarithmic = residual_histogram(counts, counts).axes
    assert linear.get_xlim() == pytest.approx((-60 / 255, 60 / 255))
    assert logarithmic.get_xlim() == (-1, 1)


def test_words_and_empty_counts(render):
    figure = residual_histogram(torch.zeros(BINS, dtype=torch.int64), torch.zeros(BINS, dtype=torch.int64), "mask")
    assert [axes.get_xlabel() for axes in figure.axes] == ["residual (1 = black to white)"] * 2
    assert [axes.get_ylabel() for axes in figure.axes] == ["share of values (%)"] * 2
    assert "mask" in figure.get_suptitle()
    render(figure)
