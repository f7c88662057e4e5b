import math

import pytest
import torch
from torch import nn

from wm_lightning.data.synthesis.traits import Traits
from wm_lightning.models import RestorationNet, SizeRequirement
from wm_lightning.models.inspect import Box
from wm_lightning.reports.figures.confusion import Confusion
from wm_lightning.reports.gallery import box_on, network_figures, picture_figures, score_figures, training_figures
from wm_lightning.reports.groups import group_scores
from wm_lightning.types import Prediction


class Named(RestorationNet):
    """Names one layer of every sort, or only some."""

    size = SizeRequirement(multiple=4)

    def __init__(self, **names):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.gate = nn.Sequential(nn.Conv2d(4, 1, 1), nn.Sigmoid())
        self.last = nn.Conv2d(4, 3, 1)
        for name, value in names.items():
            setattr(self, name, value)

    def restore(self, image):
        features = self.first(image).relu()
        return Prediction(self.last(features * self.gate(features)).sigmoid())


ALWAYS = ["gradient_norms", "saliency"]
NAMES = [
    ({}, ALWAYS),
    ({"attention_layers": ("gate",)}, ["attention", *ALWAYS]),
    ({"activation_layers": ("first", "gate")}, ["activations", *ALWAYS, "grad_cam"]),
    ({"decoder_layer": "first"}, ["decoder_features", *ALWAYS, "grad_cam"]),
    ({"first_layer": "first"}, ["kernels", *ALWAYS]),
]


def names(entries):
    return [entry.name for entry in entries]


@pytest.mark.parametrize(("layers", "expected"), NAMES, ids=[next(iter(layers), "none") for layers, _ in NAMES])
def test_what_a_network_does_not_name_has_no_figure(make_pair, layers, expected):
    pair = make_pair(0)
    with torch.random.fork_rng():
        net = Named(**layers)
    assert names(network_figures(net, pair.watermarked, pair.clean, pair.mask)) == expected


def test_the_figures_of_a_picture_have_names_of_their_own(make_pair):
    pair = make_pair(0)
    found = names(picture_figures(pair.watermarked, pair.watermarked, pair.clean))
    assert found == ["side_by_side", "local_psnr", "local_ssim", "watermark_residual", "residual_error"]


def epoch(number, **more):
    figures = {f"{stage}/{name}": 1.0 / number for stage in ("train", "val") for name in ("loss", "psnr", "ssim")}
    return {"epoch": number, "step": 10 * number, **figures, **more}


def test_a_training_of_which_nothing_is_known_has_no_figures():
    assert training_figures([]) == []


def test_the_learning_rate_is_drawn_where_it_was_logged():
    curves = ["training_loss_psnr", "training_loss_psnr_ssim"]
    assert names(training_figures([epoch(1), epoch(2)])) == curves
    rates = [epoch(1, **{"lr-AdamW": 1e-3}), epoch(2, **{"lr-AdamW": 1e-4})]
    assert names(training_figures(rates)) == [*curves, "learning_rate"]


@pytest.mark.parametrize(("opacity", "drawn"), [(0.3, True), (math.nan, False)])
def test_scores_are_drawn_by_what_is_known_of_the_marks(score, opacity, drawn):
    kinds = ("text",) if drawn else ()
    pictures = [score("a", 20.0, 22.0, Traits(0.1, opacity, kinds)), score("b", 20.0, 24.0, Traits(0.1))]
    found = names(score_figures(pictures, group_scores(pictures), torch.ones(2, 2, 511).long(), Confusion(1, 2, 3, 4)))
    known = ["by_kind_of_mark", "by_opacity", "by_kind_of_mark_and_opacity"] if drawn else []
    assert found == [
        "distribution", *known, "by_coverage", *(["opacity"] if drawn else []), "residual_histogram",
        "residual_histogram_inside", "confusion_matrix",
    ]  # fmt: skip


def test_each_histogram_gets_the_counts_of_its_region(score):
    residuals = torch.zeros(2, 2, 511, dtype=torch.int64)
    # Model: all pixels off by 10 levels, marked ones by 20; input: 30 and 40.
    for index, level in (((0, 0), 10), ((0, 1), 20), ((1, 0), 30), ((1, 1), 40)):
        residuals[index][255 + level] = 7
    pictures = [score("a", 20.0, 22.0)]
    entries = {entry.name: entry.draw() for entry in score_figures(pictures, {}, residuals, Confusion(1, 1, 1, 1))}
    for name, levels in (("residual_histogram", (10, 30)), ("residual_histogram_inside", (20, 40))):
        (legend,) = entries[name].legends
        said = {text.get_text().split(":")[0]: text.get_text() for text in legend.get_texts()}
        for who, level in zip(("model", "identity"), levels, strict=True):
            assert f"mean |residual| {level / 255:.4f}" in said[who]


def test_the_box_lies_on_the_densest_part_of_the_mark():
    mask = torch.zeros(100, 140)
    mask[5:9, 3:60] = 1  # a thin line
    mask[40:72, 90:122] = 1  # a square as large as the box
    assert box_on(mask) == Box(40, 90, 72, 122)
    assert box_on(mask, side=4) == Box(5, 3, 9, 7)  # the first of equals


def test_a_box_of_a_mark_at_the_border_stays_inside():
    mask = torch.zeros(50, 60)
    mask[49, 59] = 1
    box = box_on(mask, 20)
    assert (box.bottom, box.right) == (50, 60)
    assert (box.top, box.left) == (30, 40)


def test_without_a_mark_the_box_lies_in_the_middle():
    assert box_on(torch.zeros(50, 61), 20) == Box(15, 20, 35, 40)


def test_the_box_of_a_small_picture_is_as_large_as_its_shorter_side():
    mask = torch.zeros(10, 30)
    mask[:, 25] = 1
    box = box_on(mask, 32)
    assert (box.top, box.bottom, box.right - box.left) == (0, 10, 10)
    assert box.left <= 25 < box.right
