"""The evidence of marks is fitted by logistic regression."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from wm_lightning.inference.marks import Marks
from wm_lightning.inference.scales import View
from wm_lightning.inference.search import Search
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.inference.traits import Traits, measure
from wm_lightning.trained import load, read


def drawn(count=4000):
    """Returns traits of other spreads and means, and truths drawn from a known regression of them."""
    generator = np.random.default_rng(0)
    traits = generator.normal([0, 5, -2], [1, 0.2, 3], (count, 3))
    evidence = traits @ [1.5, -4, 0.25] + 20
    return traits, generator.random(count) < 1 / (1 + np.exp(-evidence))


def found_of(traits, true, photographs, pictures=None):
    from fit_evidence import Found

    pictures = np.full(len(true), -1) if pictures is None else np.array(pictures)
    return Found(traits, np.zeros((len(true), 1)), true, photographs, pictures, np.ones(len(true)))


def test_the_regression_finds_the_weights_that_the_truth_was_drawn_from():
    from fit_evidence import regression

    traits, true = drawn()
    assert regression(traits, true, np.ones(4000), 1e-3) == pytest.approx([1.5, -4, 0.25, 20], rel=0.15)


def test_a_ridge_makes_weights_small_and_fitting_makes_up_for_it():
    from fit_evidence import fit, regression

    traits, true = drawn()
    small = regression(traits, true, np.ones(4000), 0.1)
    assert abs(small[1]) < 2
    weights, certainty = fit(found_of(traits, true, np.arange(4000)), traits, 0.1)
    scale = weights[0] / small[0]
    assert scale > 1.5
    assert weights[:-1] == pytest.approx(scale * small[:-1])
    # As often true as they are certain.
    sure = certainty > 0.8
    assert true[sure].mean() == pytest.approx(certainty[sure].mean(), abs=0.03)


def test_each_trait_may_have_a_ridge_of_its_own():
    from fit_evidence import regression

    traits, true = drawn()
    free = regression(traits, true, np.ones(4000), 0.0)
    held = regression(traits, true, np.ones(4000), np.array([0.0, 100.0, 0.0]))
    assert abs(held[1]) < 0.01 * abs(free[1])
    assert abs(held[0]) > 0.5 * abs(free[0])


def test_many_marks_of_one_picture_count_as_one():
    from fit_evidence import regression

    traits, true = drawn(500)
    once = regression(traits, true, np.ones(500), 1e-3)
    times = np.ones(500, int)
    times[np.flatnonzero(true)[0]] = 300
    given, wanted, counts = (np.repeat(part, times, axis=0) for part in (traits, true, 1 / times))
    again = regression(given, wanted, counts, 1e-3)
    # The traits are standardised by what is there, which makes a little difference.
    assert again == pytest.approx(once, rel=0.05)


def test_the_marks_of_a_picture_and_what_is_none_weigh_as_one_each(monkeypatch):
    import fit_evidence

    sure = np.zeros((64, 256), np.uint8)
    for left in (8, 72, 136, 200):
        sure[20:40, left : left + 30] = 255
    monkeypatch.setattr(fit_evidence, "seen", lambda *_: sure)
    nothing = SimpleNamespace(_replace=lambda recognised: None, measure=lambda tile, marks, search: np.zeros((5, 3)))
    monkeypatch.setattr(fit_evidence, "gather", lambda engine, tile, marks, search: nothing)
    monkeypatch.setattr(fit_evidence, "linear", lambda traits: np.zeros((5, 7)))
    marked = np.zeros((64, 256), bool)
    marked[:, :64] = True
    found = fit_evidence.look(None, nothing, np.zeros((64, 256, 3), np.uint8), marked, 5)
    assert sorted(zip(found.true.tolist(), found.weights.tolist(), strict=True)) == [
        *[(False, pytest.approx(1 / 3))] * 3,
        (True, 1),
    ]
    assert (set(found.photographs), set(found.pictures)) == ({5}, {-1})


def test_each_mark_is_judged_by_a_fit_on_other_photographs():
    from fit_evidence import fit

    traits, true = drawn(500)
    photographs = np.arange(500) % 50
    held = photographs % 5 == 0
    _, certainty = fit(
        found_of(traits, true ^ held, photographs), traits, 0.03
    )  # what one fold says of itself is not used for it
    assert certainty[held & true].mean() > certainty[held & ~true].mean() + 0.05  # and not the other way round


def test_a_fit_is_told_with_the_unmarked_pictures_that_it_would_change(caplog):
    from fit_evidence import tell

    found = found_of(np.zeros((5, 1)), np.array([True, True, False, False, False]), np.arange(5), [-1, -1, 0, 0, 1])
    with caplog.at_level(logging.INFO):
        tell(found, np.array([0.96, 0.6, 0.91, 0.92, 0.1]), 8)
    assert "| 0.90 | 50.0 % | 66.7 % | 12.5 % |" in caplog.text
    assert "| 0.95 | 50.0 % | 0.0 % | 0.0 % |" in caplog.text


def test_a_folder_gives_weights_for_every_trait(tmp_path, monkeypatch, caplog):
    import fit_evidence

    photographs = tmp_path / "photographs"
    for number in range(5):  # of one name, in folders of their own
        noise = np.random.default_rng(number).integers(0, 255, (24, 24, 3), dtype=np.uint8)
        (photographs / str(number)).mkdir(parents=True)
        picture = Image.fromarray(noise).resize((120, 100), Image.Resampling.BICUBIC)
        picture.save(photographs / str(number) / "photograph.png")
    out = tmp_path / "net.safetensors"
    monkeypatch.setattr("sys.argv", ["fit_evidence.py", str(photographs), str(out)])
    with caplog.at_level(logging.INFO):
        fit_evidence.main()
    assert all(f'"{name}": ' in caplog.text for name in Traits._fields)
    assert "OTHERS = " in caplog.text
    before, after = (read(name)["state_dict"] for name in ("general", str(out)))
    assert after["net.recognition.weight"].abs().max() > 0
    for name, value in before.items():
        assert name == "net.recognition.weight" or after[name].equal(value)
    assert TorchEngine(load(str(out)).net, "cpu").net.recognises
    assert len(list(tmp_path.glob("net.found/*/photograph.png.npz"))) == 5
    # Once more, and nothing is looked at again
    monkeypatch.setattr(fit_evidence, "look", None)
    out.unlink()
    fit_evidence.main()
    again = read(str(out))["state_dict"]["net.recognition.weight"]
    assert again.equal(after["net.recognition.weight"])


def test_what_features_say_of_a_mark_is_what_their_means_say(monkeypatch):
    from mark_features import MarkFeatures

    engine = TorchEngine(load("general").net, "cpu")
    weight = engine.net.net.recognition.weight
    weight.copy_(torch.linspace(-1, 1, len(weight)))
    engine.net.recognises = True
    labels = np.zeros((150, 203), np.int32)
    labels[20:60, 30:90], labels[61:140, 100:203] = 1, 2
    areas = np.bincount(labels.ravel())
    marks = Marks(labels > 0, labels, np.zeros((3, 4), np.int32), areas)
    picture = np.random.default_rng(0).integers(0, 256, (150, 203, 3)).astype(np.uint8)
    search = Search()
    means = MarkFeatures(engine).measure(View(picture).tile, marks, search)
    said = measure(engine, View(picture).tile, marks, search).recognised
    assert means[0].tolist() == [0] * len(weight)
    assert (means @ weight.numpy())[1:] == pytest.approx(said[1:], rel=0.02)
