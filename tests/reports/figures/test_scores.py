import math

import numpy as np
import pytest

from wm_lightning.reports.figures import Bar, Score, group_bars, opacity_curve, score_distribution, summary_card
from wm_lightning.reports.figures.style import IDENTITY, MODEL

NAN = math.nan


def heights(axes):
    return [bar.get_height() for bar in axes.patches]


def test_means_of_opacity_bins():
    opacity, model, identity = [0.1, 0.2, 0.6, 0.7, 1.0], [30, 32, 26, 28, 27], [29, 29, 20, NAN, 24]
    figure = opacity_curve(opacity, model, identity, bins=2)
    axes, below = figure.axes
    nothing, ours = axes.lines
    assert ours.get_xydata().tolist() == [[0.25, 31], [0.75, 27]]
    assert nothing.get_xydata().tolist() == [[0.25, 29], [0.75, 22]]  # a picture without a score is left out
    assert heights(below) == [2, 3]


def test_bands_are_quartiles():
    axes = opacity_curve([0.5] * 5, [20, 21, 22, 23, 24], [10] * 5, bins=1).axes[0]
    heights = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (21, 23)


def test_empty_bins_have_no_point(render):
    figure = opacity_curve([0.05, 0.95], [30, 20], [25, 25], bins=10)
    assert list(figure.axes[0].lines[1].get_xdata()) == pytest.approx([0.05, 0.95])
    assert figure.axes[0].get_ylabel() == "PSNR (dB)"
    assert figure.axes[1].get_xlabel() == "opacity (0..1)"
    render(figure)


def test_gains_are_sorted_and_coloured_by_their_sign(render):
    figure = score_distribution([30, 20, 28, NAN], [29, 25, 25.5, 20], "PSNR (dB)")
    left, right = figure.axes
    assert heights(left) == [-5, 1, 2.5]
    colours = [bar.get_facecolor() for bar in left.patches]
    assert colours[1] == colours[2] != colours[0]
    assert figure.get_suptitle() == "PSNR (dB): 2 of 3 pictures are better than untouched"
    assert "median +1" in left.get_title()
    assert left.get_ylabel() == "gain in PSNR (dB)"
    assert right.collections[0].get_offsets().tolist() == [[29, 30], [25, 20], [25.5, 28]]
    assert "26.5 untouched, 26 by the model" in right.get_title()
    render(figure)


def test_one_failure_does_not_flatten_the_rest():
    gains = np.concatenate(([-80.0], np.linspace(-1, 3, 499)))
    axes = score_distribution(gains + 30, [30] * 500).axes[0]
    low, high = axes.get_ylim()
    assert -2 < low < -0.9
    assert high > 3
    assert "-80 to" in axes.get_title()


@pytest.mark.parametrize("scores", [[30.0], [25.0, 25.0]])
def test_pictures_without_a_change_are_drawn(scores, render):
    figure = score_distribution(scores, scores)
    assert "0 of" in figure.get_suptitle()
    render(figure)


def test_scores_of_nothing_are_refused():
    with pytest.raises(ValueError, match="both"):
        score_distribution([NAN, 1.0], [1.0, NAN])


def groups():
    ours = [Bar("text", 12, 28.0, 27.0, 29.5), Bar("logo", 0, NAN, NAN, NAN)]
    theirs = [Bar("text", 12, 26.5, 26.0, 27.0), Bar("logo", 0, NAN, NAN, NAN)]
    return ours, theirs


def test_groups_show_mean_interval_number_and_gain(render):
    ours, theirs = groups()
    figure = group_bars(ours, theirs, "By kind of mark")
    (axes,) = figure.axes
    (nothing, _, _), (ours, _, (interval,)) = axes.containers
    assert ours.get_xdata()[0] == 28.0
    assert nothing.get_xdata()[0] == 26.5
    assert interval.get_segments()[0][:, 0].tolist() == [27.0, 29.5]
    assert (ours.get_color(), nothing.get_color()) == (MODEL, IDENTITY)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["text (n=12)", "logo (n=0)"]
    assert [text.get_text() for text in axes.texts] == ["+1.50", "no pictures", "gain"]
    assert axes.get_xlabel() == "PSNR (dB)"
    render(figure)


def test_different_groups_are_refused():
    ours, theirs = groups()
    with pytest.raises(ValueError, match="different groups"):
        group_bars(ours, theirs[::-1], "By kind of mark")


def test_card_holds_facts_scores_and_gains(render):
    scores = [Score("PSNR (dB)", 28.456, 27.0), Score("SSIM", 0.9, 0.91234, 4)]
    figure = summary_card({"Parameters": "3,647,878", "Peak memory": "1.2 GB"}, scores, "Network")
    facts, table = (
        {key: cell.get_text().get_text() for key, cell in axes.tables[0].get_celld().items()} for axes in figure.axes
    )
    assert (facts[1, 0], facts[1, 1]) == ("Parameters", "3,647,878")
    assert facts[2, 1] == "1.2 GB"
    assert [table[1, column] for column in range(4)] == ["PSNR (dB)", "28.46", "27.00", "+1.46"]
    assert [table[2, column] for column in range(4)] == ["SSIM", "0.9000", "0.9123", "-0.0123"]
    cells = figure.axes[1].tables[0].get_celld()
    assert cells[1, 3].get_text().get_color() == MODEL
    assert cells[2, 3].get_text().get_color() == IDENTITY
    render(figure)
