"""Training pairs that the device puts together, beside those of the loader processes."""

import logging
import math

import albumentations as A
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch.utils.data._utils.pin_memory import pin_memory

from tests.data.device.pictures import photographs
from tests.data.device.test_degradation import NOTHING
from wm_lightning.data import Augmentation, FolderDataModule
from wm_lightning.data.device import blending
from wm_lightning.data.device.pairs import LayerPairs
from wm_lightning.data.synthesis import DegradationSampler, Synthesizer
from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.types import PackedSample, Sample, collate

SIZE = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from PIL import Image

    place = tmp_path_factory.mktemp("photographs")
    for number, picture in enumerate(photographs(24, 80)):
        Image.fromarray(picture).save(place / f"{number:02d}.png")
    return place


@pytest.fixture(scope="module")
def module_of(folder):
    """Builds a data module that is set up, from the project's configuration."""

    def build(*overrides):
        words = ("data=folder", f"data.root={folder}", f"data.size={SIZE}", "data.num_workers=0", "data.repeats=2")
        own = ("synthesis.system_fonts=false", "data.batch_size=6", "paths.output_dir=/nowhere")
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("train", overrides=[*words, *own, *overrides])
        module = instantiate(config.data)
        module.setup()
        return module

    return build


@pytest.fixture(scope="module")
def both(module_of):
    """The plain recipe, in loader processes and on the device."""
    return module_of("synthesis.degradation.share=0.5"), module_of(
        "synthesis.degradation.share=0.5", "data.device_synthesis=true"
    )


def drawn(module, keys, stage="train"):
    return module.on_after_batch_transfer(collate(module.pairs(stage).draw(keys).samples), 0)


KEYS = [(epoch, index) for epoch in range(3) for index in range(16)]


def test_a_pair_is_the_one_that_loader_processes_make(both):
    theirs, made = (drawn(module, KEYS) for module in both)
    assert isinstance(made, Sample)
    assert made.name == theirs.name
    for field in ("watermarked", "reference", "clean", "mask", "alpha", "layer"):
        one, other = getattr(theirs, field), getattr(made, field)
        assert other.dtype == torch.float32
        assert one.shape == other.shape
        assert torch.equal(other, (other * 255).round() / 255)  # whole grey levels
    assert torch.equal(made.alpha, theirs.alpha)
    assert torch.equal(made.layer, theirs.layer)
    apart = (made.watermarked - theirs.watermarked).square().mean(dim=(1, 2, 3))
    assert -10 * math.log10(apart.median() + 1e-12) > 60
    assert -10 * math.log10(apart.max()) > 35
    assert (made.mask != theirs.mask).float().mean() < 1e-3


def test_a_blend_is_equal_to_the_bit_where_nothing_else_happens(module_of):
    plain = ("augment=none", "synthesis.degradation=null")
    theirs, made = (drawn(module_of(*plain, *more), KEYS) for more in ((), ("data.device_synthesis=true",)))
    for field in Sample._fields:
        one, other = getattr(theirs, field), getattr(made, field)
        assert one == other if field == "name" else torch.equal(one, other), field
    there = (1 - made.alpha) * made.clean + made.layer
    assert (there.clamp(max=1) - made.watermarked).abs().max() < 0.51 / 255


def test_a_pair_does_not_depend_on_its_batch_nor_on_the_precision_of_the_training(both):
    _, module = both
    together = drawn(module, KEYS[:8])
    for place, key in enumerate(KEYS[:8]):
        alone = drawn(module, [key])
        for field in ("watermarked", "reference", "clean", "mask"):
            assert torch.equal(getattr(alone, field)[0], getattr(together, field)[place])
    before = torch.get_float32_matmul_precision()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = drawn(module, KEYS[:8])
    assert torch.equal(mixed.watermarked, together.watermarked)
    assert mixed.watermarked.dtype == torch.float32
    assert torch.get_float32_matmul_precision() == before


def test_pairs_do_not_depend_on_the_number_of_loader_processes(module_of):
    batches = {}
    for workers in (0, 2):
        module = module_of("data.device_synthesis=true", f"data.num_workers={workers}")
        batches[workers] = [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]
    for one, other in zip(*batches.values(), strict=True):
        assert one.name == other.name
        assert torch.equal(one.watermarked, other.watermarked)


def test_a_run_that_goes_on_within_an_epoch_gets_the_batches_that_are_left(module_of):
    module = module_of("data.device_synthesis=true")
    whole = [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]
    again = module_of("data.device_synthesis=true")
    again.load_state_dict({"split": None, "epoch": 0, "batches": 2})
    rest = [again.on_after_batch_transfer(batch, 0) for batch in again.train_dataloader()]
    assert len(rest) == len(whole) - 2
    for one, other in zip(whole[2:], rest, strict=True):
        assert one.name == other.name
        assert torch.equal(one.watermarked, other.watermarked)
        assert torch.equal(one.mask, other.mask)


def test_validation_and_test_are_made_as_ever(both):
    theirs, module = both
    for stage in ("val", "test"):
        samples = [of.pairs(stage).draw([(0, 0), (0, 1)]).samples for of in (theirs, module)]
        assert all(isinstance(sample, PackedSample) for sample in samples[1])
        for one, other in zip(*samples, strict=True):
            assert torch.equal(one.watermarked, other.watermarked)
    assert isinstance(module.pairs("train"), LayerPairs)


def test_no_second_view_is_carried_where_none_is_compared_with(module_of):
    module = module_of("data.device_synthesis=true", "data.target=clean")
    assert drawn(module, KEYS[:2]).reference is None


def test_single_pairs_can_be_looked_at_with_their_specifications(both):
    theirs, module = both
    one, other = (of.pairs("train").views((0, 3))[0] for of in (theirs, module))
    assert one.spec == other.spec
    np.testing.assert_array_equal(one.image, other.image)


def test_makers_of_pairs_with_ways_of_their_own_are_refused(folder):
    class Own(Synthesizer):
        def pair(self, *arguments, **options):
            raise NotImplementedError

    own = Own(lambda _: None, bundled_fonts=False, degradation=DegradationSampler())
    with pytest.raises(UserError, match="Own makes pairs in a way of its own"):
        FolderDataModule(str(folder), synthesis=own, augment=Augmentation(), device_synthesis=True)


def test_transforms_that_stay_in_loader_processes_are_named(folder, synthesizer, caplog):
    augment = Augmentation(after_crop=[A.RandomGamma(p=1), A.HorizontalFlip()])
    with caplog.at_level(logging.INFO):
        FolderDataModule(str(folder), synthesis=synthesizer, augment=augment, device_synthesis=True)
    assert "loader processes still do RandomGamma" in caplog.text
    assert "HorizontalFlip" not in caplog.text


def test_everything_is_computed_where_the_batch_is(both, monkeypatch):
    """A stand-in for a GPU that each machine has: it refuses tensors that were left on the CPU."""
    _, module = both
    specs = DegradationSampler(share=1, screen=1, noise=1, twice=1, **dict.fromkeys(NOTHING, 1.0))
    monkeypatch.setattr(module.synthesis, "degradation", specs)
    monkeypatch.setattr(blending, "exact", lambda _: torch.no_grad())  # it knows no mixed precision
    packed = collate(module.pairs("train").draw(KEYS).samples)
    moved = module.transfer_batch_to_device(packed, torch.device("meta"), 0)
    assert moved.recipe == packed.recipe
    batch = module.on_after_batch_transfer(moved, 0)
    for field in ("watermarked", "reference", "clean", "mask", "alpha", "layer"):
        assert getattr(batch, field).device.type == "meta"
        assert getattr(batch, field).is_contiguous(memory_format=torch.channels_last)


def test_batches_can_be_pinned(both, monkeypatch):
    packed = collate(both[1].pairs("train").draw(KEYS[:2]).samples)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor, *_: tensor.clone())
    pinned = pin_memory(packed)
    assert pinned.recipe == packed.recipe
    assert pinned.photograph is not packed.photograph
    assert torch.equal(pinned.photograph, packed.photograph)
