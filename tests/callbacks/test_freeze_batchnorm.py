import shutil

import pytest
import torch

from wm_lightning.callbacks import FreezeBatchNorm


def statistics(path, name="running_mean"):
    state = torch.load(path, weights_only=True)["state_dict"]
    return {key: value for key, value in state.items() if key.endswith(name)}


def run(command, tiny, folder, *arguments):
    outcome = command("train", *tiny, "model=unet", "test=false", f"hydra.run.dir={folder}", *arguments)
    assert outcome.status == 0, outcome.err
    return f"{folder}/checkpoints/last.ckpt"


def frozen(epoch):
    return f"callbacks.freeze_batchnorm.from_epoch={epoch}"


def test_fixed_from_the_start_statistics_stay_and_scales_learn(command, tiny):
    last = run(command, tiny, "run", frozen(0), "trainer.max_epochs=2")
    means, variances = statistics(last), statistics(last, "running_var")
    assert len(means) == len(variances) == 14
    assert all(torch.equal(mean, torch.zeros_like(mean)) for mean in means.values())
    assert all(torch.equal(variance, torch.ones_like(variance)) for variance in variances.values())
    scales = statistics(last, "enc1.conv.1.weight")
    assert not any(torch.equal(scale, torch.ones_like(scale)) for scale in scales.values())


def test_statistics_move_before_the_epoch_and_stay_from_it_on_also_after_a_resume(command, tiny):
    arguments = (frozen(1), "optim.scheduler=null", "trainer.limit_train_batches=1")
    first = shutil.copy(run(command, tiny, "first", *arguments), "first.ckpt")
    whole = run(command, tiny, "whole", *arguments, "trainer.max_epochs=3")
    resumed = run(command, tiny, "resumed", *arguments, "trainer.max_epochs=3", f"ckpt_path={first}")
    means = statistics(first)
    assert all(value.abs().sum() > 0 for value in means.values())
    for later in (whole, resumed):
        assert all(torch.equal(value, means[key]) for key, value in statistics(later).items())
    weights, again = statistics(whole, "weight"), statistics(resumed, "weight")
    assert all(torch.equal(value, again[key]) for key, value in weights.items())
    assert not torch.equal(weights["net.final_conv.weight"], statistics(first, "weight")["net.final_conv.weight"])


def test_a_negative_epoch_is_refused():
    with pytest.raises(ValueError, match=r"^from_epoch=-1 must not be negative"):
        FreezeBatchNorm(-1)
