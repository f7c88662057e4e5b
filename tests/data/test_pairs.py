import hashlib
import os
import subprocess
import sys
from functools import partial
from itertools import chain

import albumentations as A
import pytest
import torch

from wm_lightning.data import Augmentation, FolderDataModule
from wm_lightning.data.augment import crop
from wm_lightning.data.pairs import EpochSampler, WatermarkPairs
from wm_lightning.data.sources import FolderSource, decode
from wm_lightning.data.synthesis import MarkSampler, Synthesizer, TextSampler
from wm_lightning.errors import UserError

AUGMENTATION = Augmentation(after_crop=[A.HorizontalFlip(p=0.5), A.RandomGamma(p=0.5)])
PICTURES = ("watermarked", "reference", "clean", "mask", "alpha", "layer")
STAGES = ["train", "val", "test"]


@pytest.fixture
def make_pairs(photographs, synthesizer):
    source = FolderSource(photographs)

    def make(stage="train", seed=0, names=source.names, synthesizer=synthesizer, size=32):
        return WatermarkPairs(source, names, synthesizer, AUGMENTATION, size, seed, stage)

    return make


def pictures_of(sample):
    return [getattr(sample, name) for name in PICTURES]


def samples_equal(first, second):
    return first.name == second.name and all(map(torch.equal, pictures_of(first), pictures_of(second)))


def epoch_of(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_same_pairs_for_any_number_of_workers(photographs, synthesizer):
    def batches(num_workers):
        module = FolderDataModule(
            root=str(photographs), synthesis=synthesizer, augment=AUGMENTATION, size=24, batch_size=3,
            num_workers=num_workers, seed=7,
        )  # fmt: skip
        module.setup()
        loaders = [module.train_dataloader(), module.val_dataloader(), module.test_dataloader()]
        return [batch for loader in loaders for epoch in (0, 1) for batch in epoch_of(loader, epoch)]

    alone, one, four = (batches(workers) for workers in (0, 1, 4))
    assert len(alone) == len(one) == len(four) == 2 * (4 + 2 + 1)
    for first, *others in zip(alone, one, four, strict=True):
        for other in others:
            assert list(first.name) == list(other.name)
            assert all(map(torch.equal, pictures_of(first), pictures_of(other)))


@pytest.mark.parametrize("stage", STAGES)
def test_same_key_gives_the_same_pair(make_pairs, stage):
    first, second = make_pairs(stage), make_pairs(stage)
    second[(1, 4)]
    assert samples_equal(first[(0, 2)], second[(0, 2)])


def test_a_pair_depends_on_its_name_and_not_on_its_place(make_pairs):
    names = make_pairs().names
    assert samples_equal(make_pairs()[(3, 5)], make_pairs(names=names[5:])[(3, 0)])


def digest_of_a_pair(folder):
    text = partial(TextSampler, phrases={"English": ["Sample"]})
    synthesizer = Synthesizer(partial(MarkSampler, kinds={"text": 1}, text=text))
    source = FolderSource(folder)
    sample = WatermarkPairs(source, source.names, synthesizer, AUGMENTATION, 32, 3, "train")[(2, 5)]
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in pictures_of(sample))).hexdigest()


def test_another_process_makes_the_same_pair(photographs):
    script = "import runpy, sys; print(runpy.run_path(sys.argv[1])['digest_of_a_pair'](sys.argv[2]))"
    command = [sys.executable, "-c", script, __file__, str(photographs)]
    # Python's own hashes of strings differ from process to process.
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == digest_of_a_pair(photographs)


def test_seed_stage_and_epoch_each_change_the_pair(make_pairs):
    pairs = [
        make_pairs("train", 0)[(0, 0)],
        make_pairs("train", 1)[(0, 0)],
        make_pairs("train", 0)[(1, 0)],
        make_pairs("val", 0)[(0, 0)],
        make_pairs("test", 0)[(0, 0)],
    ]
    assert len({pair.watermarked.numpy().tobytes() for pair in pairs}) == 5


def test_photographs_with_equal_pixels_get_different_marks(tmp_path, photographs, synthesizer):
    content = (photographs / "photo00.png").read_bytes()
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(content)
    pairs = WatermarkPairs(FolderSource(tmp_path), ["a.png", "b.png"], synthesizer, Augmentation(), 32, 0, "val")
    assert torch.equal(pairs[(0, 0)].clean, pairs[(0, 1)].clean)
    assert not torch.equal(pairs[(0, 0)].watermarked, pairs[(0, 1)].watermarked)


@pytest.mark.parametrize("stage", ["val", "test"])
def test_validation_and_test_pairs_are_the_same_in_every_epoch(photographs, synthesizer, stage):
    module = FolderDataModule(
        root=str(photographs), synthesis=synthesizer, augment=AUGMENTATION, size=24, batch_size=2, num_workers=0
    )
    module.setup()
    loader = getattr(module, f"{stage}_dataloader")()
    first, later = epoch_of(loader, 0), epoch_of(loader, 6)
    assert all(samples_equal(a, b) for a, b in zip(first, later, strict=True))
    names = [name for batch in first for name in batch.name]
    assert names == getattr(module.split, stage)


def test_training_pairs_change_from_epoch_to_epoch(photographs, synthesizer):
    module = FolderDataModule(
        root=str(photographs), synthesis=synthesizer, augment=AUGMENTATION, size=24, batch_size=1, num_workers=0
    )
    module.setup()
    loader = module.train_dataloader()
    first, second, again = ({batch.name[0]: batch for batch in epoch_of(loader, epoch)} for epoch in (0, 1, 0))
    assert list(first) != list(second)
    assert set(first) == set(second) == set(module.split.train)
    for name, sample in first.items():
        assert not torch.equal(sample.watermarked, second[name].watermarked)
        assert torch.equal(sample.watermarked, again[name].watermarked)


@pytest.mark.parametrize("stage", STAGES)
def test_mask_is_exactly_where_the_input_was_changed(make_pairs, stage):
    pairs = make_pairs(stage)
    marked = 0
    for index in range(len(pairs)):
        sample = pairs[(0, index)]
        changed = (sample.watermarked != sample.clean).any(dim=2, keepdim=True)
        assert torch.equal(sample.mask, 255 * changed.to(torch.uint8))
        marked += changed.any().item()
    assert marked > len(pairs) // 2


def test_views_differ_from_each_other(make_pairs):
    pairs = make_pairs("val")
    samples = [pairs[(0, index)] for index in range(len(pairs))]
    assert sum(not torch.equal(sample.watermarked, sample.reference) for sample in samples) > len(pairs) * 0.8
    # Independent marks: pixels under the first are not for that reason under the second.
    first = torch.stack([sample.mask[..., 0] for sample in samples]).bool()
    second = torch.stack([(sample.reference != sample.clean).any(dim=2) for sample in samples])
    overlap = (first & second).float().mean()
    assert overlap < 0.6 * min(first.float().mean(), second.float().mean())


def test_validation_takes_the_middle_without_augmentation(make_pairs, photographs):
    pairs = make_pairs("val")
    for index in range(6):
        middle = crop(decode(photographs / pairs.names[index]), 32)
        assert torch.equal(pairs[(0, index)].clean, torch.from_numpy(middle))


def test_training_augments_and_crops(make_pairs, photographs):
    pairs = make_pairs("train")
    cleans = [pairs[(epoch, 0)].clean for epoch in range(6)]
    assert len({clean.numpy().tobytes() for clean in cleans}) > 3


@pytest.mark.parametrize("stage", STAGES)
def test_pictures_are_bytes_with_channels_last(make_pairs, stage):
    for index in range(6):
        sample = make_pairs(stage, size=24)[(0, index)]
        assert [tuple(picture.shape) for picture in pictures_of(sample)] == [(24, 24, 3)] * 3 + [(24, 24, 1)] + [
            (24, 24, 3)
        ] * 2
        assert all(picture.dtype == torch.uint8 for picture in pictures_of(sample))


@pytest.mark.parametrize("stage", STAGES)
def test_alpha_and_layer_say_how_the_input_was_made(make_pairs, stage):
    for index in range(6):
        sample = make_pairs(stage)[(0, index)].unpack()
        made = (1 - sample.alpha) * sample.clean + sample.layer
        assert 255 * (made - sample.watermarked).abs().max() <= 1


def test_length_is_the_number_of_names(make_pairs):
    assert len(make_pairs(names=make_pairs().names[:7])) == 7


def test_photograph_that_vanished_is_named(make_pairs, photographs):
    pairs = make_pairs()
    (photographs / pairs.names[3]).unlink()
    with pytest.raises(UserError, match=r"photo03\.png"):
        pairs[(0, 3)]


def test_making_pairs_leaves_the_global_generators_alone(make_pairs, global_random_state):
    before = global_random_state()
    for stage in STAGES:
        for index in range(5):
            make_pairs(stage)[(0, index)]
    assert global_random_state() == before


def test_unshuffled_sampler_keeps_order_and_epoch():
    sampler = EpochSampler(4, seed=0, shuffle=False)
    sampler.set_epoch(5)
    assert list(sampler) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert len(sampler) == 4


def test_shuffled_sampler_visits_every_photograph_in_an_order_of_seed_and_epoch():
    def order(seed, epoch):
        sampler = EpochSampler(50, seed, shuffle=True)
        sampler.set_epoch(epoch)
        assert list(sampler) == list(sampler)
        return list(sampler)

    for seed, epoch in ((0, 0), (0, 1), (3, 2)):
        keys = order(seed, epoch)
        assert {key[0] for key in keys} == {epoch}
        assert sorted(index for _, index in keys) == list(range(50))
        assert keys == order(seed, epoch)
    orders = [[index for _, index in order(*key)] for key in ((0, 0), (0, 1), (1, 0))]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != list(range(50))


@pytest.mark.parametrize("length", [1, 5, 8, 9])
@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_out_the_photographs(length, world_size):
    def shares(**options):
        samplers = [EpochSampler(length, 0, rank=rank, world_size=world_size, **options) for rank in range(world_size)]
        for sampler in samplers:
            assert len(list(sampler)) == len(sampler)
        return [[index for _, index in sampler] for sampler in samplers]

    # Validated: none twice, none left out.
    assert sorted(chain.from_iterable(shares(shuffle=False))) == list(range(length))
    # Trained: all take equally many steps, and none is left out.
    trained = shares(shuffle=True)
    assert len({len(share) for share in trained}) == 1
    assert set(chain.from_iterable(trained)) == set(range(length))
    assert sum(map(len, trained)) < length + world_size


def test_sampler_without_fresh_epochs_repeats_the_first():
    sampler, fixed = EpochSampler(20, 3, shuffle=True), EpochSampler(20, 3, shuffle=True, fresh=False)
    first = list(sampler)
    for one in (sampler, fixed):
        one.set_epoch(4)
    assert list(fixed) == first != list(sampler)


def test_sampler_leaves_the_global_generators_alone(global_random_state):
    before = global_random_state()
    list(EpochSampler(10, 0, shuffle=True))
    assert global_random_state() == before


@pytest.mark.parametrize("world_size", [1, 2])
def test_an_epoch_of_repeats_goes_through_all_photographs_that_often_with_numbers_of_their_own(world_size):
    def keys(epoch):
        samplers = [
            EpochSampler(7, 0, shuffle=True, repeats=4, rank=rank, world_size=world_size) for rank in range(world_size)
        ]
        for sampler in samplers:
            sampler.set_epoch(epoch)
            assert len(sampler) == len(list(sampler)) == 28 // world_size
        return list(chain.from_iterable(samplers))

    assert sorted(keys(0)) == [(number, index) for number in range(4) for index in range(7)]
    assert sorted(keys(2)) == [(number, index) for number in range(8, 12) for index in range(7)]


def test_repeats_are_of_training_alone():
    assert list(EpochSampler(3, 0, shuffle=False, repeats=4)) == [(0, 0), (0, 1), (0, 2)]


def test_a_module_draws_that_many_batches_of_a_photograph(photographs, synthesizer):
    module = FolderDataModule(
        root=str(photographs), synthesis=synthesizer, augment=AUGMENTATION, size=24, batch_size=4, num_workers=0,
        repeats=3,
    )  # fmt: skip
    module.setup()
    names = [name for batch in module.train_dataloader() for name in batch.name]
    assert len(names) == 3 * len(module.split.train) // 4 * 4
    assert len(list(module.val_dataloader())) == 1


def test_without_its_second_view_a_pair_is_the_same(make_pairs, photographs, synthesizer):
    source = FolderSource(photographs)
    alone = WatermarkPairs(source, source.names, synthesizer, AUGMENTATION, 32, 0, "train", second_view=False)
    for index in range(4):
        both, one = make_pairs()[(1, index)], alone[(1, index)]
        assert one.reference is None
        for name in ("watermarked", "clean", "mask", "alpha", "layer"):
            assert torch.equal(getattr(one, name), getattr(both, name))


@pytest.mark.parametrize(("target", "drawn"), [("reference", True), ("clean", False)])
def test_training_draws_a_second_view_only_where_the_loss_compares_with_it(photographs, synthesizer, target, drawn):
    module = FolderDataModule(
        root=str(photographs), synthesis=synthesizer, augment=AUGMENTATION, size=24, num_workers=0, target=target
    )
    module.setup()
    loaders = (module.train_dataloader(), module.val_dataloader(), module.test_dataloader())
    assert [next(iter(loader)).reference is not None for loader in loaders] == [drawn, True, True]
