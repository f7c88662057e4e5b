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
    from fit_evidence import fit

    weights = fit(*drawn())
    assert weights == pytest.approx([1.5, -4, 0.25, 20], rel=0.15)


def test_each_mark_is_judged_by_a_fit_on_other_photographs():
    from fit_evidence import Found, validated

    traits, true = drawn(500)
    photographs = np.arange(500) % 50
    certainty = validated(Found(traits, true, photographs))
    assert certainty[true].mean() > certainty[~true].mean() + 0.3
    wrong = true ^ (photographs % 5 == 0)  # what one fold says of itself is not used for it
    assert validated(Found(traits, wrong, photographs))[photographs % 5 == 0] == pytest.approx(
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
