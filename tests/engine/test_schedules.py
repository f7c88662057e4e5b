from functools import partial
from math import cos, pi

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, OneCycleLR

from wm_lightning.engine import Drop, WarmUp, cosine

# What the notebook logged at the end of its 25 epochs.
NOTEBOOK = (
    0.000134, 0.000229, 0.000372, 0.000542, 0.000713, 0.000860, 0.000960, 0.001000, 0.000994, 0.000975, 0.000943,
    0.000898, 0.000843, 0.000778, 0.000705, 0.000627, 0.000545, 0.000462, 0.000380, 0.000302, 0.000229, 0.000163,
    0.000107, 0.000061, 0.000028,
)  # fmt: skip
ONE_CYCLE = partial(OneCycleLR, max_lr=1e-3, pct_start=0.3, div_factor=10, final_div_factor=100)


def optimizer(lr=1e-3):
    parameter = torch.nn.Parameter(torch.zeros(3))
    return torch.optim.AdamW([parameter], lr=lr)


def take_step(optimizer, schedule):
    """One step; returns the rate it was taken at."""
    rate = optimizer.param_groups[0]["lr"]
    optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
    optimizer.step()
    schedule.step()
    return rate


def recipe(optimizer, steps_per_epoch, lasting):
    drop = partial(Drop, run_epochs=27, after=15, factor=0.1, lasting=lasting, then=ONE_CYCLE)
    return WarmUp(optimizer, 27 * steps_per_epoch, run_epochs=27, epochs=2, lr=1e-4, then=drop)


@pytest.mark.parametrize("steps_per_epoch", [87, 88])
def test_the_recipe_has_the_rates_that_the_notebook_logged(steps_per_epoch):
    one = optimizer()
    schedule = recipe(one, steps_per_epoch, lasting=False)
    logged = []
    for _ in range(27):
        used = [take_step(one, schedule) for _ in range(steps_per_epoch)]
        logged.append(schedule.get_last_lr()[0])
        if len(logged) <= 2:
            assert used == pytest.approx([1e-4] * steps_per_epoch)
        elif len(logged) == 18:  # the 16th main epoch begins with one step at a tenth
            assert used[0] == pytest.approx(used[1] / 10, rel=0.01)
    assert [round(rate, 6) for rate in logged[2:]] == list(NOTEBOOK)


def test_a_lasting_drop_leaves_a_tenth_of_every_later_rate():
    acted, meant = optimizer(), optimizer()
    schedules = recipe(acted, 10, lasting=False), recipe(meant, 10, lasting=True)
    for step in range(270):
        rates = take_step(acted, schedules[0]), take_step(meant, schedules[1])
        ratio = 1 if step <= 170 else 0.1  # at step 170 both take theirs at a tenth
        assert rates[1] == pytest.approx(ratio * rates[0], rel=1e-9), step


def test_warm_up_has_moments_and_momentum_of_its_own():
    one = optimizer()
    schedule = WarmUp(one, 20, run_epochs=10, epochs=3, lr=1e-4, then=ONE_CYCLE)
    for step in range(6):
        assert one.param_groups[0]["betas"] == (0.9, 0.999)
        take_step(one, schedule)
        assert len(one.state) == (1 if step < 5 else 0)
    assert one.param_groups[0]["betas"] == (0.95, 0.999)  # OneCycle cycles it
    take_step(one, schedule)
    assert one.state[one.param_groups[0]["params"][0]]["step"] == 1


def test_no_warm_up_is_the_schedule_itself():
    plain, warmed = optimizer(), optimizer()
    schedules = ONE_CYCLE(plain, total_steps=12), WarmUp(warmed, 12, run_epochs=4, epochs=0, lr=1e-4, then=ONE_CYCLE)
    for _ in range(12):
        assert plain.param_groups[0]["lr"] == warmed.param_groups[0]["lr"]
        assert plain.param_groups[0]["betas"] == warmed.param_groups[0]["betas"]
        if schedules[0].last_epoch < 11:
            assert take_step(plain, schedules[0]) == take_step(warmed, schedules[1])


def exponential(optimizer, total_steps):
    return ExponentialLR(optimizer, 0.9)


def annealing(optimizer, total_steps):
    return CosineAnnealingLR(optimizer, total_steps)


@pytest.mark.parametrize("then", [exponential, annealing])
def test_drop_goes_around_schedules_that_compute_a_rate_from_the_one_before(then):
    plain, dropped = optimizer(), optimizer()
    schedules = then(plain, total_steps=20), Drop(dropped, 20, run_epochs=20, after=5, then=then)
    for step in range(20):
        factor = 0.1 if step >= 5 else 1
        assert take_step(dropped, schedules[1]) == pytest.approx(factor * take_step(plain, schedules[0]), rel=1e-9)


@pytest.mark.parametrize("stop", [3, 20, 169, 170, 171, 200])
@pytest.mark.parametrize("lasting", [False, True])
def test_a_schedule_goes_on_where_its_state_was_taken(stop, lasting, tmp_path):
    whole = optimizer()
    schedule = recipe(whole, 10, lasting)
    for _ in range(stop):
        take_step(whole, schedule)
    torch.save({"optimizer": whole.state_dict(), "schedule": schedule.state_dict()}, tmp_path / "state.pt")
    again = optimizer()
    resumed = recipe(again, 10, lasting)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed.load_state_dict(state["schedule"])
    again.load_state_dict(state["optimizer"])
    for _ in range(40):
        assert take_step(again, resumed) == take_step(whole, schedule)
        assert resumed.get_last_lr() == schedule.get_last_lr()


def test_cosine_rises_to_the_full_rate_and_falls_to_its_last_share():
    one = optimizer(lr=2.0)
    schedule = cosine(one, total_steps=101, warm_up=0.2, final=0.1)
    rates = [take_step(one, schedule) for _ in range(101)]
    assert rates[:20] == pytest.approx([2 * (step + 1) / 21 for step in range(20)])
    assert rates[20] == 2.0
    assert rates[60] == pytest.approx(2 * (0.1 + 0.9 * (1 + cos(pi / 2)) / 2))
    assert rates[-1] == pytest.approx(0.2)
    assert rates[20:] == sorted(rates[20:], reverse=True)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda o: WarmUp(o, 10, run_epochs=3, epochs=4, lr=1e-4, then=ONE_CYCLE), "within the run's 3 epochs"),
        (lambda o: Drop(o, 10, run_epochs=3, after=-1, then=ONE_CYCLE), "must not be negative"),
        (lambda o: cosine(o, 10, warm_up=1.5), "must be shares of 1"),
    ],
)
def test_numbers_out_of_range_are_refused(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(optimizer())
