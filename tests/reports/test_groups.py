import csv
import math

import pytest

from wm_lightning.data.synthesis.traits import Traits
from wm_lightning.metrics.statistics import bootstrap_mean
from wm_lightning.reports.groups import group_scores, write_groups, write_traits

NAN = math.nan


def labels(groups):
    return [group.label for group in groups]


def test_means_of_a_group_by_hand(score):
    pictures = [
        score("a", 20.0, 26.0, Traits(0.1, kinds=("text",)), inside=(10.0, 14.0)),
        score("b", 30.0, 28.0, Traits(0.1, kinds=("text",)), inside=(12.0, 20.0)),
        score("c", 50.0, 50.0, Traits(0.1, kinds=("logo",)), inside=(30.0, 30.0)),
    ]
    logo, text = group_scores(pictures)["kind of mark"]
    assert (logo.label, text.label) == ("logo", "text")
    assert (text.psnr.mean, text.psnr_input.mean, text.gain.mean) == (27.0, 25.0, 2.0)
    assert (text.psnr_in.mean, text.psnr_input_in.mean) == (17.0, 11.0)
    assert text.psnr.pictures == 2
    assert (logo.psnr.mean, logo.gain.mean, logo.psnr.pictures) == (50.0, 0.0, 1)


def test_intervals_are_of_the_group_alone_and_a_gain_is_taken_picture_by_picture(score):
    before, after = [20.0, 30.0, 41.0, 22.0], [25.0, 35.0, 46.0, 27.0]
    pictures = [score(str(n), *pair, Traits(0.1, 0.3)) for n, pair in enumerate(zip(before, after, strict=True))]
    pictures.append(score("other", 5.0, 5.0, Traits(0.1, 0.9)))
    group, _ = group_scores(pictures)["opacity"]
    assert group.psnr == bootstrap_mean(after)
    assert group.psnr_input == bootstrap_mean(before)
    assert group.psnr.low < group.psnr.mean < group.psnr.high
    # Each picture gains 5 dB: the means of the two vary, their difference does not.
    assert group.gain == (5.0, 5.0, 5.0, 4)


def test_a_picture_of_several_kinds_and_languages_counts_in_each(score):
    pictures = [
        score("a", 20.0, 22.0, Traits(0.1, kinds=("text", "tiled"), languages=("Chinese", "Russian"))),
        score("b", 20.0, 28.0, Traits(0.1, kinds=("text",), languages=("Russian",))),
    ]
    groups = group_scores(pictures)
    assert {group.label: group.psnr.mean for group in groups["kind of mark"]} == {"text": 25.0, "tiled": 22.0}
    assert {group.label: group.psnr.mean for group in groups["language"]} == {"Chinese": 22.0, "Russian": 25.0}


@pytest.mark.parametrize(
    ("coverage", "label"),
    [
        (0.0, "no mark"), (1e-6, "0 to 2 %"),
        (0.0199, "0 to 2 %"), (0.02, "2 to 5 %"), (0.05, "5 to 10 %"), (0.0999, "5 to 10 %"),
        (0.1, "10 to 20 %"), (0.2, "20 to 100 %"), (1.0, "20 to 100 %"),
    ],
)  # fmt: skip
def test_edges_of_coverage(score, coverage, label):
    assert labels(group_scores([score("a", 1.0, 2.0, Traits(coverage))])["coverage"]) == [label]


@pytest.mark.parametrize(
    ("opacity", "label"),
    [
        (0.0, "0.0 to 0.2"), (0.1999, "0.0 to 0.2"), (0.2, "0.2 to 0.4"), (0.4, "0.4 to 0.6"), (0.6, "0.6 to 0.8"),
        (0.8, "0.8 to 1.0"), (1.0, "0.8 to 1.0"),
    ],
)  # fmt: skip
def test_edges_of_opacity(score, opacity, label):
    assert labels(group_scores([score("a", 1.0, 2.0, Traits(0.1, opacity))])["opacity"]) == [label]


def test_ranges_are_sorted_by_their_numbers_and_names_by_their_letters(score):
    values = [(0.5, 0.9), (0.15, 0.5), (0.03, 0.1), (0.07, 0.3), (0.01, 0.7)]
    kinds = ["tiled", "logo", "text", "shape", "logo"]
    pictures = [score(kind, 1.0, 2.0, Traits(*value, kinds=(kind,))) for kind, value in zip(kinds, values, strict=True)]
    groups = group_scores(pictures)
    assert list(groups) == ["kind of mark", "opacity", "kind of mark and opacity", "coverage"]
    assert labels(groups["coverage"]) == ["0 to 2 %", "2 to 5 %", "5 to 10 %", "10 to 20 %", "20 to 100 %"]
    assert labels(groups["opacity"]) == ["0.0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1.0"]
    assert labels(groups["kind of mark"]) == ["logo", "shape", "text", "tiled"]


def test_what_is_not_known_of_any_picture_has_no_groups(score):
    assert list(group_scores([score("a", 1.0, 2.0, Traits(0.3)), score("b", 1.0, 2.0, Traits(0.1))])) == ["coverage"]
    assert group_scores([]) == {}


def test_a_picture_of_unknown_opacity_is_left_out_of_the_groups_by_opacity(score):
    groups = group_scores([score("a", 1.0, 2.0, Traits(0.0, NAN)), score("b", 1.0, 4.0, Traits(0.1, 0.3))])
    assert [(group.label, group.psnr.pictures, group.psnr.mean) for group in groups["opacity"]] == [
        ("0.2 to 0.4", 1, 4.0)
    ]
    assert sum(group.psnr.pictures for group in groups["coverage"]) == 2


def test_a_group_in_which_a_score_is_not_defined_says_on_how_many_it_is(score):
    pictures = [
        score("a", 20.0, 21.0, Traits(0.015), inside=(NAN, NAN)),
        score("b", 20.0, 21.0, Traits(0.01), inside=(7.0, 9.0)),
    ]
    (group,) = group_scores(pictures)["coverage"]
    assert (group.psnr.pictures, group.psnr_in.pictures) == (2, 1)
    assert (group.psnr_in.mean, group.psnr_input_in.mean) == (9.0, 7.0)


def test_kind_and_opacity_together(score):
    pictures = [
        score("a", 20.0, 22.0, Traits(0.1, 0.3, kinds=("text", "tiled"))),
        score("b", 20.0, 28.0, Traits(0.1, 0.35, kinds=("text",))),
        score("c", 20.0, 25.0, Traits(0.1, 0.5, kinds=("text",))),
        score("d", 20.0, 25.0, Traits(0.1, kinds=("text",))),  # whose opacity is not known
    ]
    groups = group_scores(pictures)["kind of mark and opacity"]
    assert {group.label: (group.psnr.mean, group.psnr.pictures) for group in groups} == {
        "text, 0.2 to 0.4": (25.0, 2), "text, 0.4 to 0.6": (25.0, 1), "tiled, 0.2 to 0.4": (22.0, 1),
    }  # fmt: skip


def test_groups_are_written_as_a_table(score, tmp_path):
    pictures = [
        score("a", 20.0, 26.0, Traits(0.1, kinds=("text",)), inside=(10.0, 14.0)),
        score("b", 30.0, 28.0, Traits(0.1, kinds=("text",)), inside=(12.0, 20.0)),
    ]
    write_groups(group_scores(pictures), tmp_path / "groups.csv")
    with (tmp_path / "groups.csv").open() as file:
        rows = {(row["by"], row["group"]): row for row in csv.DictReader(file)}
    assert set(rows) == {("kind of mark", "text"), ("coverage", "10 to 20 %")}
    text = {key: float(value) for key, value in rows["kind of mark", "text"].items() if key not in ("by", "group")}
    assert text == {
        "pictures": 2, "psnr": 27, "psnr_input": 25, "gain": 2, "psnr_in": 17, "psnr_input_in": 11,
    }  # fmt: skip


def test_a_row_says_what_the_marks_of_a_picture_are_like(score, tmp_path):
    pictures = [
        score("a, b.png", 20.0, 22.0, Traits(0.125, 0.5, ("text", "tiled"), ("Chinese", "Russian"))),
        score("c.png", 20.0, 22.0, Traits(0.0)),
    ]
    write_traits(pictures, tmp_path / "traits.csv")
    with (tmp_path / "traits.csv").open() as file:
        first, second = csv.DictReader(file)
    assert first == {
        "name": "a, b.png",
        "coverage": "0.125",
        "opacity": "0.5",
        "kinds": "text tiled",
        "languages": "Chinese Russian",
    }
    assert second == {"name": "c.png", "coverage": "0.0", "opacity": "", "kinds": "", "languages": ""}
