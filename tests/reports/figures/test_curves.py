import math

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from wm_lightning.engine.schedules import Drop, WarmUp
from wm_lightning.reports.figures import Phase, find_phases, learning_rate, learning_rate_points, training_curves

LOSSES = [2.0, 1.0, 1.5]
PSNRS = [20.0, 27.0, 26.0]


def history():
    return [
        {
            "epoch": epoch, "step": 10 * epoch, "lr-AdamW": 0.1 / epoch, "train/loss": loss + 1, "val/loss": loss,
            "train/psnr": psnr - 1, "val/psnr": psnr, "val/psnr_input": 28.5, "val/psnr_in": 15.0 + epoch,
            "val/psnr_input_in": 17.25, "val/ssim": 0.9, "val/ssim_input": 0.93,
        }
        for epoch, loss, psnr in zip((1, 2, 3), LOSSES, PSNRS, strict=True)
    ]  # fmt: skip


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_each_line_has_the_logged_values():
    loss, psnr, _ = training_curves(history()).axes
    assert lines(loss)["training"].get_xydata().tolist() == [[1, 3], [2, 2], [3, 2.5]]
    assert list(lines(loss)["validation"].get_ydata()) == LOSSES
    assert list(lines(psnr)["validation"].get_ydata()) == PSNRS
    assert list(lines(psnr)["training"].get_ydata()) == [19, 26, 25]


def test_doing_nothing_is_a_line_where_it_was_measured():
    loss, psnr, ssim = training_curves(history()).axes
    assert list(lines(psnr)["identity (validation)"].get_ydata()) == [28.5] * 3
    assert list(lines(ssim)["identity (validation)"].get_ydata()) == [0.93] * 3
    assert "identity (validation)" not in lines(loss)
    assert psnr.get_title() == "PSNR (dB)\nbest epoch 27.00, identity 28.50"


def test_regions_compare_with_the_same_region_untouched():
    (axes,) = training_curves(history(), ("psnr_in",)).axes
    assert list(lines(axes)["identity (validation)"].get_ydata()) == [17.25] * 3
    assert "in the mask" in axes.get_title()


def test_the_best_epoch_is_marked_on_every_panel():
    figure = training_curves(history())
    for axes, value in zip(figure.axes, (1.0, 27.0, 0.9), strict=True):
        assert lines(axes)["best epoch"].get_xydata().tolist() == [[2, value]]
    assert "best of 3 epochs is 2" in figure.get_suptitle()


def test_scores_are_best_where_they_are_highest():
    figure = training_curves(history(), best_by="val/psnr_in")
    assert lines(figure.axes[1])["best epoch"].get_xydata().tolist() == [[3, 26]]


def test_an_epoch_without_a_number_is_never_best():
    figures = history()
    figures[1]["val/loss"] = math.nan
    assert "is 3" in training_curves(figures).get_suptitle()


def test_nothing_to_choose_from_is_said():
    with pytest.raises(ValueError, match="val/loss"):
        training_curves([])


def test_axes_say_what_they_count_in(render):
    figure = training_curves(history())
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch"] * 3
    assert [axes.get_ylabel() for axes in figure.axes] == ["Loss", "PSNR (dB)", "SSIM (0..1)"]
    render(figure)


@pytest.mark.parametrize(("first", "scale"), [(4.0, "linear"), (400.0, "log")])
def test_a_loss_over_decades_is_logarithmic(first, scale):
    figures = history()
    figures[0]["train/loss"] = first
    assert training_curves(figures, ("loss",)).axes[0].get_yscale() == scale


def test_a_single_epoch_shows(render):
    figure = training_curves(history()[:1])
    assert lines(figure.axes[0])["validation"].get_marker() == "."
    render(figure)


def test_rates_are_read_from_a_history():
    groups = {"epoch": 4, "step": 40, "lr-AdamW/pg1": 0.5, "lr-AdamW/pg2": 1.0}
    points = learning_rate_points([*history(), groups, {"epoch": 5, "step": 50}])
    assert points == [(10, 0.1), (20, 0.05), (30, pytest.approx(0.1 / 3)), (40, 0.5)]


def recipe(lasting):
    """The rate of each step of the faithful recipe, 10 steps an epoch."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)

    def one_cycle(optimizer, total_steps):
        return OneCycleLR(optimizer, 1e-3, total_steps=total_steps, div_factor=10, final_div_factor=100)

    def drop(optimizer, total_steps):
        return Drop(optimizer, total_steps, 27, after=15, then=one_cycle, lasting=lasting)

    schedule = WarmUp(optimizer, 270, 27, epochs=2, lr=1e-4, then=drop)
    points = []
    for step in range(250):
        points.append((step, optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return points


def test_phases_of_the_recipe_are_found():
    phases = find_phases(recipe(lasting=True))
    assert [phase.name for phase in phases] == ["warm-up", "rise", "decay", "drop to 0.1 times", "decay"]
    warm_up, rise, _, drop, _ = phases
    assert (warm_up.start, warm_up.end) == (0, 20)
    assert rise.end == 20 + 80  # pct_start 0.3 of 270 steps, less one
    assert (drop.start, drop.end) == (169, 170)


def test_a_drop_that_does_not_last_is_found_too():
    phases = find_phases(recipe(lasting=False))
    assert [phase.name for phase in phases][3] == "drop to 0.1 times"
    assert phases[3].end == 170


def test_the_steep_end_of_a_schedule_is_no_drop():
    rates = [1.0, 0.9, 0.7, 0.4, 0.1, 0.001]
    assert [phase.name for phase in find_phases(list(enumerate(rates)))] == ["decay"]


def test_a_rate_that_never_changes_is_constant():
    assert find_phases([(0, 0.1), (5, 0.1), (9, 0.1)]) == [Phase("constant", 0, 9)]


def test_rates_drops_and_names_are_drawn(render):
    points = recipe(lasting=True)
    figure = learning_rate(points)
    (axes,) = figure.axes
    assert lines(axes)["learning rate"].get_xydata().tolist() == [list(point) for point in points]
    assert list(lines(axes)["drop to 0.1 times at step 170"].get_xdata()) == [170, 170]
    assert {text.get_text() for text in axes.texts} == {"warm-up", "rise", "decay"}
    assert "highest 0.001 at step 100" in axes.get_title()
    assert axes.get_xlabel() == "optimizer step"
    render(figure)


def test_phases_can_be_told():
    (axes,) = learning_rate([(0, 1.0), (10, 1.0)], [Phase("fine-tuning", 0, 10)]).axes
    assert [text.get_text() for text in axes.texts] == ["fine-tuning"]


@pytest.mark.parametrize("points", [[(0, 0.1)], [(0, 0.0), (1, 0.0)]])
def test_degenerate_rates_are_drawn(points, render):
    render(learning_rate(points))
