"""The evidence of marks is fitted by logistic regression."""

import logging

import numpy as np
import pytest
from PIL import Image

from wm_lightning.inference.evidence import WEIGHTS


def drawn(count=4000):
    """Returns traits of other spreads and means, and truths drawn from a known regression of them."""
    generator = np.random.default_rng(0)
    traits = generator.normal([0, 5, -2], [1, 0.2, 3], (count, 3))
    evidence = traits @ [1.5, -4, 0.25] + 20
    return traits, generator.random(count) < 1 / (1 + np.exp(-evidence))


def test_the_regression_finds_the_weights_that_the_truth_was_drawn_from():
    from fit_evidence import Found, fit

    traits, true = drawn()
    everything = np.ones(4000, bool)
    weights = fit(Found(traits, true, np.arange(4000), np.ones(4000)), everything)
    assert weights == pytest.approx([1.5, -4, 0.25, 20], rel=0.15)


def test_many_marks_of_one_picture_count_as_one():
    from fit_evidence import Found, fit

    traits, true = drawn(500)
    once = fit(Found(traits, true, np.arange(500), np.ones(500)), np.ones(500, bool))
    times = np.ones(500, int)
    times[np.flatnonzero(true)[0]] = 300
    again = Found(*(np.repeat(part, times, axis=0) for part in (traits, true, np.arange(500), 1 / times)))
    # The traits are standardised by what is there, which makes a little difference.
    assert fit(again, np.ones(len(again.true), bool)) == pytest.approx(once, rel=0.05)


def test_the_marks_of_a_picture_and_what_is_none_weigh_as_one_each(monkeypatch):
    import fit_evidence

    sure = np.zeros((64, 256), np.uint8)
    for left in (8, 72, 136, 200):
        sure[20:40, left : left + 30] = 255
    monkeypatch.setattr(fit_evidence, "seen", lambda *_: sure)
    monkeypatch.setattr(fit_evidence, "gather", lambda engine, tile, marks, search: np.zeros(len(marks.areas)))
    monkeypatch.setattr(fit_evidence, "linear", lambda traits: np.zeros((len(traits), 7)))
    marked = np.zeros((64, 256), bool)
    marked[:, :64] = True
    found = fit_evidence.look(None, np.zeros((64, 256, 3), np.uint8), marked, 5)
    assert sorted(zip(found.true.tolist(), found.weights.tolist(), strict=True)) == [
        *[(False, pytest.approx(1 / 3))] * 3,
        (True, 1),
    ]
    assert set(found.photographs) == {5}


def test_each_mark_is_judged_by_a_fit_on_other_photographs():
    from fit_evidence import Found, validated

    traits, true = drawn(500)
    photographs = np.arange(500) % 50
    certainty = validated(Found(traits, true, photographs, np.ones(500)))
    assert certainty[true].mean() > certainty[~true].mean() + 0.3
    wrong = true ^ (photographs % 5 == 0)  # what one fold says of itself is not used for it
    assert validated(Found(traits, wrong, photographs, np.ones(500)))[photographs % 5 == 0] == pytest.approx(
        certainty[photographs % 5 == 0], abs=0.15
    )


def test_a_folder_gives_weights_for_every_trait(tmp_path, monkeypatch, caplog):
    import fit_evidence

    for number in range(5):
        noise = np.random.default_rng(number).integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((240, 200), Image.Resampling.BICUBIC).save(tmp_path / f"{number}.png")
    monkeypatch.setattr("sys.argv", ["fit_evidence.py", str(tmp_path)])
    with caplog.at_level(logging.INFO):
        fit_evidence.main()
    assert all(f'"{name}": ' in caplog.text for name in WEIGHTS)
    assert "CONSTANT = " in caplog.text
