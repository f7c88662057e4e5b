from types import SimpleNamespace

import torch

from wm_lightning.callbacks import PixelCounts
from wm_lightning.reports.figures.confusion import Confusion
from wm_lightning.types import Sample

TRAINER = SimpleNamespace(world_size=1)
MODEL, INPUT = 0, 1
ALL, INSIDE = 0, 1


def batch_of(mark, left):
    """One picture of 4 x 5 pixels whose first row is marked ``mark`` levels too bright; a model leaves ``left``.

    The model found the mark but for its first pixel, and lowers one unmarked pixel by 50 levels.
    """
    clean = torch.full((1, 3, 4, 5), 100 / 255)
    mask = torch.zeros(1, 1, 4, 5)
    mask[..., 0, :] = 1
    watermarked = clean + mask * mark / 255
    prediction = clean + mask * left / 255
    prediction[..., 0, 0] = watermarked[..., 0, 0]
    prediction[..., 3, 3] -= 50 / 255
    return {"prediction": prediction, "mask": None, "scores": {}}, Sample(watermarked, None, clean, mask, ["a"])


def counted(*batches):
    counts = PixelCounts()
    counts.on_test_start(TRAINER, None)
    for number, (outputs, batch) in enumerate(batches):
        counts.on_test_batch_end(TRAINER, None, outputs, batch, number)
    counts.on_test_end(TRAINER, None)
    return counts


def by_level(counts, whose, where):
    row = counts.residuals[whose, where]
    return {int(level) - 255: int(row[level]) for level in row.nonzero()}


def test_residuals_and_found_pixels_by_hand():
    counts = counted(batch_of(mark=60, left=10))
    # Three channels of 20 pixels, 5 of which are marked.
    assert by_level(counts, MODEL, ALL) == {60: 3, 10: 12, -50: 3, 0: 42}
    assert by_level(counts, MODEL, INSIDE) == {60: 3, 10: 12}
    assert by_level(counts, INPUT, ALL) == {60: 15, 0: 45}
    assert by_level(counts, INPUT, INSIDE) == {60: 15}
    # Found is what the model changed by more than a tenth: 26 levels.
    assert counts.confusion == Confusion(tp=4, fn=1, fp=1, tn=14)


def test_small_changes_are_not_found():
    assert counted(batch_of(mark=20, left=0)).confusion == Confusion(tp=0, fn=5, fp=1, tn=14)


def test_a_predicted_mask_is_what_was_found():
    outputs, batch = batch_of(mark=20, left=0)
    found = torch.zeros(1, 1, 4, 5)
    found[..., 0, :3], found[..., 2, 0], found[..., 3, 0] = 0.9, 0.51, 0.5
    assert counted(({**outputs, "mask": found}, batch)).confusion == Confusion(tp=3, fn=2, fp=1, tn=14)


def test_batches_add_up():
    counts = counted(batch_of(mark=60, left=10), batch_of(mark=40, left=10))
    assert by_level(counts, MODEL, INSIDE) == {60: 3, 40: 3, 10: 24}
    assert by_level(counts, INPUT, ALL) == {60: 15, 40: 15, 0: 90}
    assert counts.confusion == Confusion(tp=8, fn=2, fp=2, tn=28)
    assert counts.residuals.sum(dim=2).tolist() == [[120, 30], [120, 30]]


def test_a_second_test_starts_at_nothing():
    counts = counted(batch_of(mark=60, left=10))
    counts.on_test_start(TRAINER, None)
    assert not counts.residuals.any()
    assert not counts.extent.marked
    assert counts.confusion == Confusion()


def test_memory_does_not_grow_with_the_pictures():
    one, many = counted(batch_of(60, 10)), counted(*[batch_of(60, 10)] * 5)
    assert one.residuals.shape == many.residuals.shape == (2, 2, 511)
    assert set(vars(many)) == {"residuals", "confusion", "extent"}


def test_what_processes_counted_is_added_up(monkeypatch):
    outputs, batch = batch_of(mark=60, left=10)
    counts = PixelCounts()
    counts.on_test_batch_end(TRAINER, None, outputs, batch, 0)
    other = counted(batch_of(mark=40, left=10))

    def gather(parts, own):
        parts[:] = [own, (other.residuals, other.confusion, other.extent)]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather, raising=False)
    counts.on_test_end(SimpleNamespace(world_size=2), None)
    together = counted(batch_of(mark=60, left=10), batch_of(mark=40, left=10))
    assert torch.equal(counts.residuals, together.residuals)
    assert counts.confusion == together.confusion
    assert torch.equal(counts.extent.pixels, together.extent.pixels)
    assert (counts.extent.marked, together.extent.marked) == (2, 2)


def test_a_mask_that_is_empty_has_no_inside():
    outputs, batch = batch_of(mark=60, left=10)
    counts = counted((outputs, batch._replace(mask=torch.zeros_like(batch.mask))))
    assert not counts.residuals[:, INSIDE].any()
    assert counts.residuals[:, ALL].sum() == 120
    assert counts.confusion == Confusion(tp=0, fn=0, fp=5, tn=15)
