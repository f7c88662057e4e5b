import itertools
import math
from functools import partial

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader

from wm_lightning.engine import WatermarkRemoval, WeightAverage
from wm_lightning.losses import CompositeLoss, Term
from wm_lightning.models import RestorationNet
from wm_lightning.sizes import SizeRequirement
from wm_lightning.types import Prediction, Sample

WANTED = 0.55  # the grey that is to be learned


class Grey(RestorationNet):
    """Adds a trained grey."""

    size = SizeRequirement()

    def __init__(self):
        super().__init__()
        self.grey = nn.Parameter(torch.tensor(0.2))
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("batches", torch.tensor(0))

    def restore(self, image):
        return Prediction(image + self.grey)


class PlainL1(Term):
    """Its gradient for the grey is 1 or -1."""

    def forward(self, prediction, target, sample):
        return (prediction.image - target).abs().mean()


class Told(PlainL1):
    """Says in validation what it was told, in turn of the raw and of the averaged weights."""

    def __init__(self, *values):
        super().__init__()
        self.values = itertools.cycle(values)

    def forward(self, prediction, target, sample):
        value = super().forward(prediction, target, sample)
        return value if torch.is_grad_enabled() else torch.tensor(next(self.values))


def pictures(count=4):
    """Pairs that differ by the wanted grey."""
    watermarked = torch.rand((count, 2, 3, 16, 12), generator=torch.Generator().manual_seed(0)) * 0.3
    return [Sample(one, None, one + WANTED, torch.ones(2, 1, 16, 12), ["a", "b"]) for one in watermarked]


def fit(folder, term=None, rate=0.1, decay=0.9, epochs=3, average=True, **options):
    """Trains the grey with a step of ``rate`` for a batch; returns the module, the trainer and what was kept each time.

    Options beside the checkpoint's ``monitor`` and ``mode`` are the trainer's.
    """
    monitored = {"monitor": "val/loss", "mode": "min"}
    monitored |= {key: options.pop(key) for key in ("monitor", "mode") if key in options}
    best = ModelCheckpoint(folder, "best", save_top_k=1, **monitored)
    seen = []

    class Watch(L.Callback):
        def on_validation_end(self, trainer, pl_module):
            if not trainer.sanity_checking:
                figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
                seen.append({"kept": pl_module.kept, **figures})

    module = WatermarkRemoval(
        Grey(), CompositeLoss({"own": term or PlainL1()}), partial(torch.optim.SGD, lr=rate), target="clean",
        average=WeightAverage(decay) if average else None,
    )  # fmt: skip
    trainer = L.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, max_epochs=epochs,
        callbacks=[best, Watch()], **options,
    )  # fmt: skip
    trainer.fit(module, *(DataLoader(pictures(), batch_size=None) for _ in range(2)))
    return module, trainer, seen


def greys(rate, steps):
    """The grey and its average with a decay of 0.9 after each step, by hand."""
    raw = average = 0.2
    values = []
    for step in range(1, steps + 1):
        raw += rate if raw < WANTED else -rate
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * raw
        values.append((raw, average))
    return values


def test_the_decay_warms_up_to_what_was_asked_for():
    average, net = WeightAverage(0.5), Grey()
    average.begin(net)
    value, decays = 0.2, [2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5]
    for number, decay in enumerate(decays, 1):
        with torch.no_grad():
            net.grey.fill_(number)
        average.update(net)
        value = decay * value + (1 - decay) * number
        assert average.net.grey.item() == pytest.approx(value, rel=1e-6)
    assert average.updates == 9


def test_statistics_are_averaged_and_counts_copied():
    average, net = WeightAverage(0.999), Grey()
    average.begin(net)
    net.mean.fill_(11.0)
    net.batches.fill_(7)
    average.update(net)
    assert average.net.mean.item() == pytest.approx(9)  # of which nine elevenths are new
    assert average.net.batches.item() == 7
    assert average.net.batches.dtype == net.batches.dtype


def test_an_average_of_what_does_not_change_is_that():
    average, net = WeightAverage(0.99), Grey()
    average.begin(net)
    for _ in range(20):
        average.update(net)
    assert average.net.grey.item() == net.grey.item()


def test_a_decay_of_0_is_the_last_weights():
    average, net = WeightAverage(0), Grey()
    average.begin(net)
    nn.init.constant_(net.grey, 5)
    average.update(net)
    assert average.net.grey.item() == 5


def test_the_average_is_a_network_of_its_own_that_learns_nothing():
    average, net = WeightAverage(), Grey().train()
    average.begin(net)
    nn.init.constant_(net.grey, 5)
    assert average.net.grey.item() == pytest.approx(0.2)
    assert not average.net.training
    assert net.training
    assert not any(parameter.requires_grad for parameter in average.net.parameters())
    assert net.grey.requires_grad


def test_an_average_goes_on_from_its_state():
    whole, first, net, values = WeightAverage(0.9), WeightAverage(0.9), Grey(), [1.0, 4.0, 2.0, 8.0]

    def update(average, value):
        nn.init.constant_(net.grey, value)
        average.update(net)

    for average in (whole, first):
        average.begin(Grey())
    for number, value in enumerate(values):
        update(whole, value)
        if number < 2:
            update(first, value)
    second = WeightAverage(0.9)
    second.begin(Grey())
    second.load_state_dict(first.state_dict())
    for value in values[2:]:
        update(second, value)
    assert second.updates == 4
    assert torch.equal(second.net.grey, whole.net.grey)


@pytest.mark.parametrize("decay", [-0.1, 1, 2])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match=rf"^decay={decay} must be at least 0 and below 1"):
        WeightAverage(decay)


def test_each_step_of_a_training_goes_into_the_average(tmp_path):
    module, _, _ = fit(tmp_path)
    raw, average = greys(0.1, 12)[-1]
    assert module.net.grey.item() == pytest.approx(raw, abs=1e-6)
    assert module.average.net.grey.item() == pytest.approx(average, abs=1e-6)
    assert module.average.updates == 12


def test_steps_are_counted_and_not_batches(tmp_path):
    module, trainer, _ = fit(tmp_path, accumulate_grad_batches=2)
    assert trainer.global_step == module.average.updates == 6
    assert module.average.net.grey.item() == pytest.approx(greys(0.1, 6)[-1][1], abs=1e-6)


def test_an_average_changes_nothing_of_the_training(tmp_path):
    averaged, plain = (fit(tmp_path / str(average), rate=0.03, average=average)[0] for average in (True, False))
    assert torch.equal(averaged.net.grey, plain.net.grey)


def test_validation_scores_both_and_reports_the_better(tmp_path):
    _, _, seen = fit(tmp_path)
    assert len(seen) == 3
    for epoch, figures in enumerate(seen, 1):
        errors = [abs(grey - WANTED) for grey in greys(0.1, 4 * epoch)[-1]]
        for name, error in zip(("raw", "average"), errors, strict=True):
            assert figures[f"val_{name}/loss"] == pytest.approx(error, abs=1e-6)
            assert figures[f"val_{name}/psnr"] == pytest.approx(-20 * math.log10(error), rel=1e-3)
        kept = figures["kept"]
        assert kept == ("raw" if errors[0] <= errors[1] else "average")
        own = {name.removeprefix("val/") for name in figures if name.startswith("val/")}
        assert own == {name.removeprefix("val_raw/") for name in figures if name.startswith("val_raw/")}
        assert {"loss", "loss_own", "psnr", "gain", "gain_in"} <= own
        for name in own:
            assert figures[f"val/{name}"] == pytest.approx(figures[f"val_{kept}/{name}"], nan_ok=True)


@pytest.mark.parametrize(("rate", "kept"), [(0.1, "average"), (0.01, "raw")], ids=["swings", "goes straight"])
def test_the_best_checkpoint_has_the_better_weights(tmp_path, rate, kept):
    module, _, seen = fit(tmp_path, rate=rate)
    assert seen[-1]["kept"] == module.kept == kept
    after = {step: greys(rate, step)[-1] for step in (4, 8, 12)}
    best = min(after, key=lambda step: min(abs(grey - WANTED) for grey in after[step]))
    checkpoint = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert checkpoint["global_step"] == best
    assert checkpoint["weights"] == kept
    raw, average = after[best]
    assert checkpoint["state_dict"]["net.grey"].item() == pytest.approx({"raw": raw, "average": average}[kept])
    assert checkpoint["average"]["updates"] == best
    assert checkpoint["average"]["net"]["grey"].item() == pytest.approx(average)
    assert ("raw" in checkpoint) == (kept == "average")
    if kept == "average":
        assert checkpoint["raw"]["grey"].item() == pytest.approx(raw)
        assert checkpoint["raw"].keys() == {"grey", "mean", "batches"}
    assert module.net.grey.item() == pytest.approx(after[12][0])  # training goes on with its own


def test_without_an_average_a_checkpoint_has_the_weights_in_training(tmp_path):
    module, _, seen = fit(tmp_path, average=False)
    checkpoint = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert checkpoint["weights"] == "raw"
    assert not {"raw", "average"} & checkpoint.keys()
    assert not any(name.startswith(("val_raw", "val_average")) for name in seen[-1])
    assert list(module.candidates) == ["raw"]


NAN = math.nan


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ((1.0, 2.0), "raw"), ((2.0, 1.0), "average"), ((1.0, 1.0), "raw"), ((NAN, 5.0), "average"), ((5.0, NAN), "raw"),
        ((math.inf, 5.0), "average"), ((NAN, NAN), "raw"),
    ],
)  # fmt: skip
def test_the_lower_loss_is_kept_and_what_is_no_number_is_not(tmp_path, values, kept):
    module, _, seen = fit(tmp_path, term=Told(*values), epochs=1, num_sanity_val_steps=0)
    assert seen[-1]["val_raw/loss"] == pytest.approx(values[0], nan_ok=True)
    assert module.kept == kept
    assert seen[-1]["val/loss"] == pytest.approx(values[kept == "average"], nan_ok=True)


@pytest.mark.parametrize(
    ("values", "mode", "kept"),
    [((1.0, 2.0), "max", "average"), ((2.0, 1.0), "max", "raw"), ((NAN, -5.0), "max", "average"),
     ((1.0, 2.0), "min", "raw")],
)  # fmt: skip
def test_the_mode_is_that_of_the_best_checkpoint(tmp_path, values, mode, kept):
    assert fit(tmp_path, term=Told(*values), epochs=1, mode=mode)[0].kept == kept


@pytest.mark.parametrize(
    ("monitor", "mode", "kept"),
    [("val/loss", "min", "raw"), ("val/psnr", "max", "average"), ("val/psnr", "min", "raw"),
     ("val/rmse", "min", "average"), ("train/loss", "min", "raw"), (None, "min", "raw")],
)  # fmt: skip
def test_the_figure_is_that_of_the_best_checkpoint_and_else_the_loss(tmp_path, monitor, mode, kept):
    # The average is nearer to the wanted grey, whatever the loss says.
    options = {"monitor": monitor, "mode": mode}
    module, _, seen = fit(tmp_path, term=Told(1.0, 2.0), **options)
    assert seen[-1]["val_average/psnr"] > seen[-1]["val_raw/psnr"]
    assert module.kept == kept


def go_on(checkpoint, average, epochs):
    """Trains a new module from a checkpoint."""
    module = WatermarkRemoval(
        Grey(), CompositeLoss({"own": PlainL1()}), partial(torch.optim.SGD, lr=0.1), target="clean",
        average=WeightAverage(0.9) if average else None,
    )  # fmt: skip
    trainer = L.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, max_epochs=epochs,
        enable_checkpointing=False,
    )  # fmt: skip
    loaders = [DataLoader(pictures(), batch_size=None) for _ in range(2)]
    trainer.fit(module, *loaders, ckpt_path=checkpoint, weights_only=True)
    return module


def test_a_training_goes_on_with_its_weights_and_its_average(tmp_path):
    whole, _, _ = fit(tmp_path / "whole", epochs=5)
    fit(tmp_path, epochs=3)
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["weights"] == "average"
    module = go_on(tmp_path / "best.ckpt", average=True, epochs=5)
    assert module.average.updates == whole.average.updates == 20
    assert torch.equal(module.net.grey, whole.net.grey)
    assert torch.equal(module.average.net.grey, whole.average.net.grey)


def test_a_training_goes_on_without_its_average_from_the_weights_in_training(tmp_path):
    fit(tmp_path)
    checkpoint = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert checkpoint["weights"] == "average"
    module = go_on(tmp_path / "best.ckpt", average=False, epochs=5)
    assert module.net.grey.item() == pytest.approx(greys(0.1, 20)[-1][0], abs=1e-6)
    assert module.kept == "raw"


def test_an_average_can_begin_with_a_checkpoint_that_has_none(tmp_path):
    fit(tmp_path, average=False, epochs=2)
    before = torch.load(tmp_path / "best.ckpt", weights_only=True)
    module = go_on(tmp_path / "best.ckpt", average=True, epochs=before["epoch"] + 2)
    assert module.average.updates == 4
    raw = average = before["state_dict"]["net.grey"].item()
    for step in range(1, 5):
        raw += 0.1 if raw < WANTED else -0.1
        average += (1 - (1 + step) / (10 + step)) * (raw - average)
    assert module.average.net.grey.item() == pytest.approx(average, abs=1e-6)
