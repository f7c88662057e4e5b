import pytest
import torch

from wm_lightning.metrics import Extent, measure_extent
from wm_lightning.types import Sample

LIGHTER = 0.4  # how much lighter the mark is


def marked(undone, height=30, width=40):
    """A picture whose columns 10 to 29, from the upper edge down to row 19, are marked, and are restored by a share.

    Args:
        undone: (20, 20), the share of the mark's change that is undone.
    """
    clean = torch.full((1, 3, height, width), 0.3)
    mask = torch.zeros(1, 1, height, width)
    mask[..., :20, 10:30] = 1
    watermarked = clean + LIGHTER * mask
    restored = watermarked.clone()
    restored[..., :20, 10:30] -= LIGHTER * undone
    return restored, Sample(watermarked, None, clean, mask, ["a"])


def test_pixels_and_errors_are_counted_by_part_and_degree():
    undone = torch.ones(20, 20)
    undone[:16, 4:16] = 0.1  # all of the inside, which reaches the picture's edge, no edge of the mark
    undone[19, :5] = torch.tensor([0.19, 0.21, 0.5, 1.19, 1.21])
    extent = measure_extent(*marked(undone))
    inner = 16 * 12
    assert extent.pixels.tolist() == [[1, 2, 400 - inner - 4, 1], [inner, 0, 0, 0]]
    assert (extent.missed, extent.marked) == (0, 1)
    squared = 3 * LIGHTER**2
    assert extent.error[1].tolist() == pytest.approx([inner * squared * 0.9**2, 0, 0, 0])
    assert extent.error[0].tolist() == pytest.approx(
        [squared * 0.81**2, squared * (0.79**2 + 0.5**2), squared * 0.19**2, squared * 0.21**2], rel=1e-3
    )
    shares = extent.shares()
    assert (shares["inner"]["pixels"], shares["inner"]["untouched"]) == (inner / 400, 1)
    assert shares["rim"]["pixels"] == pytest.approx(1 - inner / 400)
    assert shares["inner"]["error"] == shares["inner"]["error_untouched"] == pytest.approx(0.990, abs=1e-3)
    assert sum(part["error"] for part in shares.values()) == pytest.approx(1)


def test_a_mark_whose_rim_stays_is_missed_and_counts_add_up():
    missed, found = (measure_extent(*marked(torch.full((20, 20), share))) for share in (0.0, 0.7))
    assert (missed.missed, found.missed) == (1, 0)
    both = missed.plus(found)
    assert (both.missed, both.marked) == (1, 2)
    assert both.pixels.tolist() == [[208, 208, 0, 0], [192, 192, 0, 0]]
    assert torch.equal(both.error, missed.error + found.error)


def test_a_batch_counts_as_its_pictures_do():
    parts = [marked(torch.full((20, 20), share)) for share in (0.1, 1.0, 1.5)]
    watermarked, clean, mask = (
        torch.cat([getattr(sample, name) for _, sample in parts]) for name in ("watermarked", "clean", "mask")
    )
    together = Sample(watermarked, None, clean, mask, ["a", "b", "c"])
    found = measure_extent(torch.cat([restored for restored, _ in parts]), together)
    wanted = Extent()
    for restored, sample in parts:
        wanted = wanted.plus(measure_extent(restored, sample))
    assert torch.equal(found.pixels, wanted.pixels)
    assert torch.allclose(found.error, wanted.error)
    assert (found.missed, found.marked) == (wanted.missed, wanted.marked) == (1, 3)


def test_pictures_without_a_mark_count_nothing():
    clean = torch.rand(2, 3, 16, 16)
    extent = measure_extent(clean + 0.1, Sample(clean, None, clean, torch.zeros(2, 1, 16, 16), ["a", "b"]))
    assert (int(extent.pixels.sum()), float(extent.error.sum()), extent.missed, extent.marked) == (0, 0, 0, 0)
    assert set(extent.shares()["rim"].values()) == {0}
