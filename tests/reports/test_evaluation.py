import math

import numpy as np
import pytest

from wm_lightning.data.synthesis.traits import Traits
from wm_lightning.metrics import PRESETS
from wm_lightning.reports.evaluation import Tested as Model
from wm_lightning.reports.evaluation import build_report, choose_examples
from wm_lightning.reports.page import write_page

SHARE = 12 * 12 / (40 * 48)  # of a test picture that is marked; picture n is too dark there by 0.1 * (n + 1)
HISTORY = [{"epoch": 1, "step": 3, "train/loss": 2.0, "val/loss": 1.0, "train/psnr": 20.0, "val/psnr": 21.0}]


def decibels(error, share=1.0):
    return -10 * math.log10(error**2 * share)


def report_of(subject, *tests, preset="full"):
    return build_report(tests, subject, PRESETS[preset], "Measured", {"data": "made"})


def entries_of(report):
    return {entry.name: entry for entries in report.sections.values() for entry in entries}


def card_rows(report):
    """The lines of the summary card's right table."""
    (table,) = entries_of(report)["summary_card"].draw().axes[1].tables
    cells = table.get_celld()
    return [[cells[row, column].get_text().get_text() for column in range(4)] for row in range(max(cells)[0] + 1)]


@pytest.mark.parametrize(
    ("count", "best", "median", "worst"),
    [
        (1, [0], [], []),
        (2, [0], [], [1]),
        (3, [0], [1], [2]),
        (5, [0], [2], [4]),
        (6, [0, 1], [2, 3], [4, 5]),
        (100, [0, 1, 2], [48, 49, 50], [97, 98, 99]),
    ],
)
def test_examples_are_the_best_the_median_and_the_worst_in_this_order(score, count, best, median, worst):
    order = np.random.default_rng(0).permutation(count)  # of the pictures, best first
    places = np.argsort(order)
    pictures = [score(f"{index}", 30.0, 40.0 - places[index]) for index in range(count)]
    chosen = choose_examples(pictures)
    expected = [("best", best), ("median", median), ("worst", worst)]
    assert chosen == [(why, order[place]) for why, at in expected for place in at]
    assert len({choice.picture for choice in chosen}) == len(chosen)


def test_examples_go_by_the_gain_and_not_by_the_score(score):
    pictures = [score("a", 50.0, 51.0), score("b", 10.0, 20.0), score("c", 30.0, 35.0)]
    assert [choice.picture for choice in choose_examples(pictures)] == [1, 2, 0]


@pytest.fixture(scope="module")
def others(make_subject):
    """The scores of a model that brightens."""
    return make_subject(1.05)[1]


@pytest.fixture(scope="module")
def report(make_subject, others):
    """Of a model that does nothing, beside one that brightens."""
    subject, ours = make_subject(1.0)
    return report_of(subject, Model("ours", ours), Model("other", others))


def test_rows_hold_the_means_of_each_model_and_of_doing_nothing(report, others):
    assert [row.label for row in report.rows] == ["ours", "other", "identity"]
    first, second, nothing = (row.values for row in report.rows)
    whole = np.mean([decibels(0.1 * (n + 1), SHARE) for n in range(4)])
    inside = np.mean([decibels(0.1 * (n + 1)) for n in range(4)])
    assert nothing["psnr"].mean == pytest.approx(whole, abs=1e-3)
    assert nothing["psnr_in"].mean == pytest.approx(inside, abs=1e-3)
    assert first["psnr"].mean == pytest.approx(whole, abs=1e-3)  # this model does nothing
    assert first["psnr_out"].mean == pytest.approx(100)
    assert second["psnr"].mean == pytest.approx(np.mean([picture.scores["psnr"] for picture in others]))
    assert second["psnr_out"].mean < 40
    assert nothing["psnr"].low < nothing["psnr"].mean < nothing["psnr"].high
    assert not {"psnr_out", "iou", "f1"} & set(nothing)


def test_a_network_that_names_no_layers_and_a_training_that_is_not_known_leave_their_figures_out(report):
    assert list(report.sections) == ["What it achieves", "One picture", "Inside the network"]
    assert [entry.name for entry in report.sections["Inside the network"]] == ["gradient_norms", "saliency"]


def test_verdict_and_card_are_those_of_the_first_model_and_a_gain_is_for_the_better(make_subject, report):
    assert "the model is NOT better than the identity (+0.00 dB)" in report.verdict
    subject, pictures = make_subject(count=2)
    better = [
        picture._replace(
            scores={
                **picture.scores, "psnr": picture.scores["psnr_input"] + 2, "rmse_w": 10.0, "rmse_input_w": 30.0,
            }
        )
        for picture in pictures
    ]  # fmt: skip
    found = report_of(subject, Model("ours", better), Model("other", pictures))
    assert "the model is better than the identity (+2.00 dB)" in found.verdict
    assert [row.values["rmse_w"].mean for row in (found.rows[0], found.rows[-1])] == [10.0, 30.0]
    rows = {row[0]: row[1:] for row in card_rows(found)}
    assert rows["PSNR"][-1] == "+2.00"
    assert rows["RMSEw"] == ["10.00", "30.00", "+20.00"]


@pytest.mark.parametrize(
    ("preset", "headings", "nothing"),
    [
        ("slbr", ["PSNR", "SSIM", "PSNR\nin mask", "PSNR\noutside", "RMSE", "RMSEw", "IoU", "F1"],
         {"psnr_slbr", "ssim_slbr", "psnr_in", "rmse_slbr", "rmse_slbr_w"}),
        ("swcnn", ["PSNR", "SSIM", "PSNR\nin mask", "PSNR\noutside"], {"psnr", "ssim_uniform", "psnr_in"}),
        ("watermarkcnn", ["PSNR\nto ref.", "SSIM\nto ref."], {"psnr_ref", "ssim_ref"}),
    ],
)  # fmt: skip
def test_a_preset_shows_its_own_columns(make_subject, preset, headings, nothing):
    subject, pictures = make_subject(count=2)
    report = report_of(subject, Model("ours", pictures), preset=preset)
    assert [column.heading for column in report.columns] == headings
    assert set(report.rows[-1].values) == nothing
    assert [row[0] for row in card_rows(report)[1:]] == [
        column.heading.replace("\n", " ") for column in report.columns if column.model in nothing
    ]


def test_an_example_shows_the_pair_and_says_its_scores(make_subject, make_pair):
    subject, pictures = make_subject(1.5, count=3)
    last = pictures[2]._replace(traits=Traits(SHARE, 0.25, ("logo", "text"), ("Russian",)))
    examples = report_of(subject, Model("ours", [*pictures[:2], last])).examples
    # Brightening by half helps the darkest picture most.
    assert [example.title for example in examples] == ["best: photo2.png", "median: photo1.png", "worst: photo0.png"]
    pair = make_pair(2, 0.1 * 3)
    scores = last.scores
    assert examples[0].caption == (
        f"{scores['psnr_input']:.2f} to {scores['psnr']:.2f} dB ({scores['gain']:+.2f}), "
        f"inside the mask {scores['psnr_input_in']:.2f} to {scores['psnr_in']:.2f} dB, "
        "7.5% covered, opacity 0.25, logo, text, Russian"
    )
    bytes_of = {
        "before": pair.watermarked, "after": (1.5 * pair.watermarked).clamp(0, 1), "clean": pair.clean,
    }  # fmt: skip
    for name, picture in bytes_of.items():
        found = getattr(examples[0], name)
        assert (found.dtype, found.shape) == (np.uint8, (40, 48, 3))
        np.testing.assert_allclose(found / 255, picture.permute(1, 2, 0), atol=0.5 / 255 + 1e-6)


def test_a_picture_without_a_mark_says_nothing_of_its_inside(make_subject):
    subject, pictures = make_subject(count=1)
    unmarked = pictures[0]._replace(
        scores={**pictures[0].scores, "psnr_in": math.nan, "psnr_input_in": math.nan}, traits=Traits(0.0)
    )
    (example,) = report_of(subject, Model("ours", [unmarked])).examples
    assert "nan" not in example.caption
    assert "inside" not in example.caption
    assert "0.0% covered" in example.caption


@pytest.mark.parametrize(("count", "rows", "real"), [(1, 1, True), (2, 2, False), (12, 4, True)])
def test_the_batch_goes_from_the_best_to_the_worst(make_subject, count, rows, real):
    subject, pictures = make_subject(1.2, count, real)
    report = report_of(subject, Model("ours", pictures))
    columns = 4 if real else 5  # without a second view
    axes = entries_of(report)["batch"].draw().axes
    assert len(axes) == rows * columns
    inputs = [panel.get_title() for panel in axes[::columns]]
    order = sorted(pictures, key=lambda picture: -picture.scores["gain"])
    assert inputs[0] == f"input: {order[0].scores['psnr_input']:.2f} dB"
    assert inputs[-1] == f"input: {order[-1].scores['psnr_input']:.2f} dB"


def test_real_pairs_are_reported_without_a_second_view_to_the_last_figure(make_subject, tmp_path):
    subject, pictures = make_subject(1.1, count=2, real=True, history=HISTORY)
    report = report_of(subject, Model("ours", pictures))
    assert len(entries_of(report)) == sum(len(entries) for entries in report.sections.values())  # no name twice
    assert list(report.sections)[-1] == "Training"
    assert report.rows[0].values["psnr_ref"].pictures == 0
    assert not any("ref." in row[0] for row in card_rows(report))
    assert list(report.groups) == ["coverage"]
    page = write_page(report, tmp_path).read_text(encoding="utf-8")
    assert ">n/a</td>" in page
    assert not any("nan" in line.split("base64,")[0].lower() for line in page.splitlines())
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == set(entries_of(report))
