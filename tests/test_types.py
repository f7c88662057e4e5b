import pytest
import torch
from torch.utils.data import default_collate

from wm_lightning.types import PackedSample, collate


def packed(*leading):
    generator = torch.Generator().manual_seed(0)

    def picture(channels=3):
        return torch.randint(0, 256, (*leading, 5, 7, channels), dtype=torch.uint8, generator=generator)

    mask = 255 * (picture(1) > 128).to(torch.uint8)
    return PackedSample(picture(), picture(), picture(), mask, picture(), picture(), "name")


def test_unpacking_moves_channels_to_the_front_and_scales_to_one():
    sample = packed()
    unpacked = sample.unpack()
    for name in ("watermarked", "reference", "clean", "alpha", "layer"):
        picture = getattr(unpacked, name)
        assert picture.shape == (3, 5, 7)
        assert picture.dtype == torch.float32
        for channel in range(3):
            torch.testing.assert_close(picture[channel] * 255, getattr(sample, name)[..., channel].float())
    assert unpacked.mask.shape == (1, 5, 7)
    assert set(unpacked.mask.unique().tolist()) == {0.0, 1.0}
    assert unpacked.name == "name"


def test_unpacked_batches_are_channels_last_already():
    batch = packed(2).unpack()
    assert batch.clean.shape == (2, 3, 5, 7)
    assert batch.clean.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(batch.clean[1, 2] * 255, packed(2).clean[1, ..., 2].float())


def test_what_is_not_known_stays_unknown():
    unpacked = packed(2)._replace(reference=None, alpha=None, layer=None).unpack()
    assert unpacked.reference is unpacked.alpha is unpacked.layer is None
    assert torch.equal(unpacked.clean, packed(2).unpack().clean)


def test_collating_whole_samples_is_what_pytorch_does():
    samples = [packed(), packed()._replace(name="other", clean=packed().mask.expand(-1, -1, 3))]
    ours, pytorchs = collate(samples), default_collate(samples)
    assert ours.name == list(pytorchs.name) == ["name", "other"]
    for name in ("watermarked", "reference", "clean", "mask", "alpha", "layer"):
        assert torch.equal(getattr(ours, name), getattr(pytorchs, name))


def test_collating_keeps_none():
    batch = collate([packed()._replace(reference=None, alpha=None, layer=None)] * 3)
    assert batch.reference is batch.alpha is batch.layer is None
    assert torch.equal(batch.mask, torch.stack([packed().mask] * 3))


@pytest.mark.parametrize("order", [1, -1])
def test_samples_of_different_kinds_are_not_collated(order):
    with pytest.raises(TypeError):
        collate([packed(), packed()._replace(alpha=None)][::order])
