import math

import pytest
import torch

from wm_lightning.reports.figures import Confusion, confusion_matrix, count_pixels


def masks():
    """Of 20 pixels 6 are watermarked; 4 of those and 2 others are found."""
    mask, found = torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 4, 5)
    mask[..., 0, :] = mask[..., 1, 0] = 1
    found[..., 0, :4] = found[..., 3, :2] = 1
    return found, mask


def test_planted_masks_are_counted_exactly():
    assert count_pixels(*masks()) == Confusion(tp=4, fn=2, fp=2, tn=12)


def test_counts_of_pictures_add_up():
    found, mask = masks()
    both = count_pixels(torch.cat((found, mask)), torch.cat((mask, mask)))
    assert count_pixels(found, mask) + count_pixels(mask, mask) == both


def test_scores_by_hand():
    scores = Confusion(tp=4, fn=2, fp=1, tn=13).scores()
    assert scores == {"precision": 4 / 5, "recall": 4 / 6, "F1": 8 / 11, "IoU": 4 / 7}


def test_scores_of_nothing_are_not_defined():
    assert all(math.isnan(score) for score in Confusion(tn=9).scores().values())


def widths(axes):
    return [bar.get_width() for bar in axes.patches]


def test_cells_are_shares_of_their_rows(render):
    figure = confusion_matrix(Confusion(tp=30, fn=10, fp=0, tn=60))
    matrix, bars = figure.axes
    assert matrix.images[0].get_array().tolist() == [[0.75, 0.25], [0.0, 1.0]]
    words = [text.get_text() for text in matrix.texts]
    assert words[0] == "found\n75.00 % of the row\n30 pixels\n30.00 % of all"
    assert [text.partition("\n")[0] for text in words] == ["found", "missed", "false alarm", "left alone"]
    assert matrix.get_xlabel() == "by the model: its mask, or what it changed"
    assert widths(bars) == pytest.approx([1.0, 0.75, 6 / 7, 0.75])
    assert [text.get_text() for text in bars.texts] == ["1.000", "0.750", "0.857", "0.750"]
    assert bars.get_xlabel() == "score (0..1)"
    assert "100 pixels" in figure.get_suptitle()
    render(figure)


def test_a_picture_without_a_mark_is_drawn(render):
    figure = confusion_matrix(Confusion(tn=5))
    assert [text.get_text() for text in figure.axes[1].texts] == ["none"] * 4
    render(figure)
