import sys

import pytest
import torch

from wm_lightning.errors import UserError
from wm_lightning.models import DnCNN, PixelUnshuffleUNet
from wm_lightning.trained import TrainedNetwork, load, save


def trained(**options):
    """A network whose BatchNorms have seen something."""
    torch.manual_seed(0)
    options = {"widths": [6, 8, 10], "head": "decomposition", **options}
    net = PixelUnshuffleUNet(**options)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.bias, 0.2, 0.3)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(net.last.weight, 0, 0.3)
    torch.nn.init.zeros_(net.last.bias)  # an open mask
    model = {"_target_": "wm_lightning.models.PixelUnshuffleUNet", **options}
    return TrainedNetwork(net.eval(), {"model": model})


@pytest.fixture
def picture():
    return torch.rand((1, 3, 64, 128), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("below", [[12], [12, 9, 7]])
def test_a_deeper_network_restores_what_the_trained_one_does(picture, below):
    from deepen import deepened

    shallow = trained()
    deep = deepened(shallow, below)
    assert deep.net.size.multiple == shallow.net.size.multiple * 2 ** len(below)
    for mine, theirs in zip(deep.net.predict(picture), shallow.net.predict(picture), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
    assert deep.net.predict(picture).mask.std() > 0.01  # not closed everywhere


def test_in_training_it_begins_near_and_what_is_below_can_learn(picture):
    from deepen import deepened

    deep = deepened(trained(), [12, 9]).net.train()
    deep.predict(torch.cat([picture, picture.flip(2)])).image.square().mean().backward()
    skip, below = deep.decoder[1][0].weight[:, 10:], deep.decoder[1][0].weight.grad[:, :10]
    assert torch.equal(skip[..., 1, 1], torch.eye(10))
    assert below.abs().sum() > 0


def test_what_is_below_is_as_large_as_what_goes_into_it():
    """Also where BatchNorm does not see to it: its statistics may be fixed from the first step on."""
    from deepen import deepened

    net, seen = deepened(trained(widths=[8, 64, 64]), [64, 64, 64]).net, {}
    for name in ("encoder.2", "encoder.5", "decoder.1"):
        net.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
    net.predict(torch.rand((1, 3, 512, 512), generator=torch.Generator().manual_seed(1)))
    sizes = {name: out.square().mean().sqrt() for name, out in seen.items()}
    assert 0.3 < sizes["encoder.5"] / sizes["encoder.2"] < 3
    assert 0.3 < sizes["decoder.1"] / sizes["encoder.2"] < 3


def test_other_networks_are_refused():
    from deepen import deepened

    with pytest.raises(UserError, match="only a pixel-unshuffle U-Net without attention"):
        deepened(TrainedNetwork(DnCNN(depth=3, width=4), {"model": {}}), [8])
    with pytest.raises(UserError, match="only a pixel-unshuffle U-Net without attention"):
        deepened(trained(widths=[8, 16], attention=1), [8])


def test_the_command_writes_a_file_that_is_loaded(tmp_path, monkeypatch, picture):
    import deepen

    shallow = trained()
    save(shallow, tmp_path / "shallow.safetensors")
    arguments = [str(tmp_path / "shallow.safetensors"), str(tmp_path / "deep.safetensors"), "--below", "12", "9"]
    monkeypatch.setattr(sys, "argv", ["deepen.py", *arguments])
    deepen.main()
    found = load(str(tmp_path / "deep.safetensors"))
    assert found.config["model"]["widths"] == [6, 8, 10, 12, 9]
    torch.testing.assert_close(found.net(picture), shallow.net(picture), atol=1e-4, rtol=1e-4)
