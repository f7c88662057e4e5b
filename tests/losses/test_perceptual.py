import hashlib
import logging
import math

import numpy as np
import pytest
import torch
from torch import nn

from wm_lightning.errors import UserError
from wm_lightning.losses.perceptual import LAYERS, PerceptualLoss, load_vgg16

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
IMAGENET_FILE = "vgg16-397923af.pth"


def even(colour, side=8):
    return colour.view(1, 3, 1, 1).expand(1, 3, side, side)


def weights_of(loss):
    return {key: value for key, value in loss.named_buffers() if key not in ("mean", "std")}


def plain_vgg16():
    """VGG16's first sixteen layers as torchvision builds them."""
    layers, inputs = [], 3
    for width in (64, 64, "pool", 128, 128, "pool", 256, 256, 256):
        if width == "pool":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
    return nn.Sequential(*layers)


@pytest.fixture(scope="module")
def random_loss():
    return PerceptualLoss("random")


def test_extractor_has_1735488_values(random_loss):
    assert sum(value.numel() for value in weights_of(random_loss).values()) == 1_735_488


def test_layers_are_those_of_vgg16():
    names = [str(index) for index, layer in enumerate(plain_vgg16()) if isinstance(layer, nn.Conv2d)]
    assert [str(layer[0]) for layer in LAYERS if layer is not None] == names


def test_nothing_is_trained_or_saved(random_loss):
    assert list(random_loss.parameters()) == []
    assert random_loss.state_dict() == {}


def test_train_mode_changes_nothing(random_loss):
    image = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    random_loss.eval()
    still = random_loss.features(image)
    random_loss.train()
    assert torch.equal(random_loss.features(image), still)


def test_features_equal_those_of_the_plain_network(random_loss):
    network = plain_vgg16()
    state = load_vgg16("random").state
    network.load_state_dict({key.removeprefix("features."): value for key, value in state.items()}, strict=True)
    image = torch.rand((2, 3, 37, 31), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network((image - MEAN.view(1, 3, 1, 1)) / STD.view(1, 3, 1, 1))
        got = random_loss.features(image)
    assert got.shape == (2, 256, 9, 7)
    torch.testing.assert_close(got, wanted)


def test_mean_colour_of_imagenet_becomes_0(relay_file):
    assert PerceptualLoss(str(relay_file)).features(even(MEAN)).abs().max().item() == pytest.approx(0, abs=1e-6)


def test_one_deviation_above_the_mean_becomes_1_in_each_channel(relay_file):
    loss = PerceptualLoss(str(relay_file))
    above, below = loss.features(even(MEAN + STD)), loss.features(even(MEAN - STD))
    expected = torch.zeros(1, 256, 2, 2)
    expected[:, :3] = 1
    torch.testing.assert_close(above, expected)
    torch.testing.assert_close(below, expected.roll(3, dims=1))


def test_features_are_the_largest_of_four_by_four_pixels(relay_file):
    image = torch.rand((1, 3, 8, 12), generator=torch.Generator().manual_seed(0))
    scaled = ((image[0] - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)).numpy()
    blocks = scaled.reshape(3, 2, 4, 3, 4)
    features = PerceptualLoss(str(relay_file)).features(image)[0].numpy()
    np.testing.assert_allclose(features[:3], blocks.max(axis=(2, 4)).clip(0), rtol=1e-5)
    np.testing.assert_allclose(features[3:6], (-blocks).max(axis=(2, 4)).clip(0), rtol=1e-5)
    assert not features[6:].any()


def test_loss_is_the_mean_absolute_difference_of_features(relay_file):
    loss = PerceptualLoss(str(relay_file))
    value = loss(even(MEAN + 0.1 * STD), even(MEAN - 0.2 * STD)).item()
    assert value == pytest.approx((3 * 0.1 + 3 * 0.2) / 256, rel=1e-4)


def test_equal_pictures_cost_nothing(random_loss):
    image = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    assert random_loss(image, image.clone()).item() == 0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (3, 5)])
def test_smallest_pictures_have_finite_features(random_loss, height, width):
    image = torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(0))
    loss = random_loss(image, 1 - image)
    assert loss.isfinite()
    assert loss > 0


def test_gradient_goes_to_the_prediction_only(random_loss):
    prediction = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(1)).requires_grad_()
    random_loss(prediction, target).backward()
    assert target.grad is None
    assert prediction.grad.isfinite().all()
    assert prediction.grad.abs().max() > 0


def test_random_weights_are_the_same_in_every_build(random_loss):
    other = PerceptualLoss("random")
    assert other.origin == "random"
    for key, value in weights_of(random_loss).items():
        assert torch.equal(other.get_buffer(key), value)


def test_random_weights_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    PerceptualLoss("random")
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_have_he_normal_spread(random_loss):
    for layer in LAYERS:
        if layer is not None:
            index, inputs, _ = layer
            weight = random_loss.get_buffer(f"weight{index}")
            assert weight.std().item() == pytest.approx(math.sqrt(2 / (9 * inputs)), rel=0.05)
            assert not random_loss.get_buffer(f"bias{index}").any()


def test_file_is_loaded_and_named_with_its_hash(relay_file):
    loss = PerceptualLoss(str(relay_file))
    assert loss.origin == f"file relay.pth (sha256 {hashlib.sha256(relay_file.read_bytes()).hexdigest()[:16]})"
    stored = torch.load(relay_file, weights_only=True)
    for key, value in weights_of(loss).items():
        kind = "weight" if key.startswith("weight") else "bias"
        assert torch.equal(value, stored[f"features.{key.removeprefix(kind)}.{kind}"])


def test_file_of_a_whole_vgg16_is_taken(relay_file):
    state = torch.load(relay_file, weights_only=True)
    torch.save({**state, "features.17.weight": torch.zeros(1), "classifier.0.bias": torch.zeros(1)}, relay_file)
    loss = PerceptualLoss(str(relay_file))
    assert sum(value.numel() for value in weights_of(loss).values()) == 1_735_488


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "nowhere.pth"
    with pytest.raises(UserError) as caught:
        PerceptualLoss(str(path))
    assert str(path) in str(caught.value)
    assert str(caught.value).startswith("weights: there is no file ")


def write_text(path):
    path.write_text("no weights")


def write_other_state(path):
    torch.save({"enc1.weight": torch.zeros(3)}, path)


def write_wrong_weight(path):
    state = torch.load(path, weights_only=True)
    torch.save({**state, "features.7.weight": torch.zeros(128, 64, 3, 3)}, path)


def write_wrong_bias(path):
    state = torch.load(path, weights_only=True)
    torch.save({**state, "features.7.bias": torch.zeros(64)}, path)


def write_list(path):
    torch.save([torch.zeros(3)], path)


@pytest.mark.parametrize("spoil", [write_text, write_other_state, write_wrong_weight, write_wrong_bias, write_list])
def test_file_of_something_else_is_named(relay_file, spoil):
    spoil(relay_file)
    with pytest.raises(UserError, match="does not hold VGG16 weights") as caught:
        PerceptualLoss(str(relay_file))
    assert str(relay_file) in str(caught.value)


def test_download_gives_the_served_weights_and_keeps_them(hub, served, relay_file):
    url, stop = served
    loaded = load_vgg16("imagenet", url)
    assert loaded.origin == "imagenet"
    for key, value in torch.load(relay_file, weights_only=True).items():
        assert torch.equal(loaded.state[key], value)
    assert [path.name for path in hub.iterdir()] == [url.rsplit("/", 1)[-1]]
    stop()
    again = load_vgg16("imagenet", url)
    assert torch.equal(again.state["features.0.weight"], loaded.state["features.0.weight"])


def test_download_with_another_hash_is_refused_and_not_kept(hub, served):
    url = served[0].rsplit("/", 1)[0] + "/vgg16-deadbeef.pth"
    with pytest.raises(UserError) as caught:
        load_vgg16("imagenet", url)
    assert url in str(caught.value)
    assert "hash" in str(caught.value)
    assert list(hub.iterdir()) == []


def test_download_of_a_missing_file_says_what_to_do(hub, served):
    url = served[0].rsplit("/", 1)[0] + "/vgg16-00000000.pth"
    with pytest.raises(UserError, match="404"):
        load_vgg16("imagenet", url)
    assert list(hub.iterdir()) == []


def test_unreachable_server_says_what_to_do(hub, closed_port):
    url = f"http://127.0.0.1:{closed_port}/{IMAGENET_FILE}"
    with pytest.raises(UserError) as caught:
        PerceptualLoss("imagenet", url=url)
    for hint in (url, str(hub / IMAGENET_FILE), "set weights=random", "alpha=0"):
        assert hint in str(caught.value)


def test_auto_takes_the_cached_file(hub, relay_file, caplog):
    hub.mkdir(parents=True)
    (hub / IMAGENET_FILE).write_bytes(relay_file.read_bytes())
    with caplog.at_level(logging.WARNING):
        loss = PerceptualLoss("auto")
    assert loss.origin == "imagenet"
    assert torch.equal(loss.get_buffer("weight0"), torch.load(relay_file, weights_only=True)["features.0.weight"])
    assert caplog.records == []


def test_auto_without_a_cached_file_is_random_with_one_warning(hub, random_loss, caplog):
    with caplog.at_level(logging.WARNING):
        loss = PerceptualLoss()
    assert loss.origin == "random"
    assert torch.equal(loss.get_buffer("weight14"), random_loss.get_buffer("weight14"))
    assert len(caplog.records) == 1
    assert "RANDOM" in caplog.text
    assert str(hub) in caplog.text
    assert "loss.terms.perceptual.weights=imagenet" in caplog.text


def test_auto_downloads_nothing(hub, served):
    assert load_vgg16("auto", served[0]).origin == "random"
    assert not hub.exists()


def test_random_on_purpose_does_not_warn(caplog):
    with caplog.at_level(logging.WARNING):
        PerceptualLoss("random")
    assert caplog.records == []


def test_spoiled_cache_is_named(hub):
    hub.mkdir(parents=True)
    (hub / IMAGENET_FILE).write_bytes(b"cut short")
    with pytest.raises(UserError) as caught:
        PerceptualLoss("auto")
    assert str(hub / IMAGENET_FILE) in str(caught.value)
