"""Which terms a training's loss is made of: what the head feeds, what the command line asks for, and one's own."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from wm_lightning.trained import read

RUN = "hydra.run.dir=run"
SHORT = ("trainer.limit_train_batches=1", "test=false")
OF_PICTURES = {"l1", "unmasked", "lab", "ssim", "laplacian", "psnr"}
OF_MASKS = {"mask", "iou", "background"}
OF_LAYERS = {"opacity", "layer", "inpainting"}

OWN = """
from wm_lightning.losses import Term


class Edge(Term):
    known = ("reference",)

    def __init__(self, rows: int = 4, **options: object) -> None:
        super().__init__(**options)
        self.rows = rows

    def describe(self):
        return {"rows": str(self.rows)}

    def forward(self, prediction, target, sample):
        return (prediction.image - sample.reference)[..., : self.rows, :].abs().mean()


class Gate(Term):
    predicted = ("gate",)

    def forward(self, prediction, target, sample):
        return prediction.gate.mean()
"""


def summary_of(folder="run"):
    return json.loads(Path(folder, "summary.json").read_text())


def terms_of(folder="run"):
    """The terms of a run's only epoch, and those that its summary gives a weight."""
    (epoch,) = summary_of(folder)["history"]
    logged = {name.removeprefix("val/loss_") for name in epoch if name.startswith("val/loss_")}
    weights = summary_of(folder)["criterion"]
    assert epoch["val/loss"] == pytest.approx(
        sum(weights[name] * epoch[f"val/loss_{name}"] for name in logged), rel=1e-5
    )
    assert logged == {name for name, weight in weights.items() if isinstance(weight, float | int) and weight}
    return logged


@pytest.fixture
def own(command, monkeypatch):
    """Terms of one's own in a module beside the command."""
    Path("own_terms.py").write_text(OWN)
    yield "own_terms"
    sys.modules.pop("own_terms", None)


@pytest.mark.parametrize(
    ("head", "terms"),
    [("direct", OF_PICTURES), ("residual", OF_PICTURES), ("masked", OF_PICTURES | OF_MASKS),
     ("decomposition", OF_PICTURES | OF_MASKS | OF_LAYERS)],
)  # fmt: skip
def test_terms_that_a_head_does_not_feed_are_left_out_and_said(command, tiny, head, terms):
    outcome = command("train", *tiny, RUN, *SHORT, f"model.head={head}")
    assert outcome.status == 0, outcome.err
    assert terms_of() == terms
    text = Path("run/train.log").read_text()
    for name in OF_MASKS | OF_LAYERS:
        assert text.count(f"loss: {name} is left out") == (name not in terms)


@pytest.mark.parametrize("head", ["direct", "decomposition"])
def test_the_notebooks_loss_has_its_five_terms_whatever_the_head(command, tiny, head):
    random = ("loss.alpha=0.3", "loss.terms.perceptual.weights=random")
    outcome = command("train", *tiny, RUN, *SHORT, f"model.head={head}", "loss=watermarkcnn", *random)
    assert outcome.status == 0, outcome.err
    assert terms_of() == {"l1", "perceptual", "lab", "ssim", "laplacian"}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("loss.terms.opacity.weight=1", "loss.terms.opacity needs a head that predicts alpha"),
        (
            "loss.terms.mask.weight=0.5",
            "loss.terms.mask needs a head that predicts mask_logits: model.head=masked or decomposition",
        ),
        (
            "loss.terms.inpainting.optional=false",
            "loss.terms.inpainting needs a head that predicts inpainting: model.head=decomposition",
        ),
        ("loss.terms.iou={weight: 1}", "loss.terms.iou needs a head that predicts mask_logits"),
    ],
)
def test_a_term_that_was_asked_for_and_that_the_head_does_not_feed_is_one_sentence(command, tiny, asked, sentence):
    outcome = command("train", *tiny, RUN, *SHORT, asked)
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith(f"error: {sentence}")
    assert last.endswith(f"set {asked.split('=')[0].removesuffix('.optional').removesuffix('.weight')}.weight=0.")
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "asked", ["loss.terms.opacity.weight=0", "loss.terms.unmasked.weight=0.5", "loss.terms.perceptual.reduce=4"]
)
def test_asking_for_what_can_be_had_refuses_nothing(command, tiny, asked):
    outcome = command("train", *tiny, RUN, *SHORT, asked)
    assert outcome.status == 0, outcome.err
    assert terms_of() == OF_PICTURES


def test_a_term_that_is_called_optional_on_the_command_line_is(command, tiny):
    asked = ("loss.terms.opacity.weight=1", "loss.terms.opacity.optional=true")
    outcome = command("train", *tiny, RUN, *SHORT, *asked)
    assert outcome.status == 0, outcome.err
    assert terms_of() == OF_PICTURES


def test_terms_of_marks_are_left_out_for_real_pairs_and_refused_where_they_were_asked_for(command, tiny, photographs):
    for folder in ("clean", "watermarked"):
        Path("pairs", folder).mkdir(parents=True)
        for path in photographs.iterdir():
            Path("pairs", folder, path.name).write_bytes(path.read_bytes())
    options = [option for option in tiny if not option.startswith(("data=", "data.root=", "synthesis"))]
    pairs = (*options, "data=paired", "data.root=pairs", "model.head=decomposition", *SHORT)
    outcome = command("train", *pairs, RUN)
    assert outcome.status == 0, outcome.err
    assert terms_of() == OF_PICTURES | OF_MASKS | {"inpainting"}
    outcome = command("train", *pairs, "hydra.run.dir=asked", "loss.terms.opacity.weight=1")
    assert outcome.status == 1
    assert "error: loss.terms.opacity needs pairs with alpha; give others" in outcome.err


def test_a_term_of_ones_own_is_a_class_and_an_entry(command, tiny, own):
    term = f"+loss.terms.mine={{_target_: {own}.Edge, weight: 0.5, rows: 7}}"
    outcome = command("train", *tiny, RUN, *SHORT, term)
    assert outcome.status == 0, outcome.err
    assert terms_of() == OF_PICTURES | {"mine"}
    assert summary_of()["criterion"]["mine"] == 0.5
    assert read("run/checkpoints/best.ckpt")["loss"]["rows"] == "7"
    options = ("report=false", "hydra.run.dir=scored", "trainer.accelerator=cpu")
    refused = command("evaluate", "ckpt=run/checkpoints/best.ckpt", *options)
    assert refused.status == 1
    assert f"Name {own} in trust" in refused.err
    _, _, told = outcome.out.partition("score it again: ")  # says whom to trust
    outcome = command("evaluate", *shlex.split(told.splitlines()[0])[2:], *options)
    assert outcome.status == 0, outcome.err
    assert "loss_mine" in json.loads(Path("scored/metrics.json").read_text())["test"]


def test_a_loss_of_ones_own_can_be_a_file_of_a_folder_of_ones_own(command, tiny, own):
    Path("conf/loss").mkdir(parents=True)
    Path("conf/loss/mine.yaml").write_text(
        "defaults:\n  - composite\n  - _self_\n"
        f"terms:\n  mine:\n    _target_: {own}.Edge\n    weight: 0.25\n  unmasked:\n    weight: 0\n"
    )
    outcome = command("train", "--config-dir", "conf", *tiny, RUN, *SHORT, "loss=mine")
    assert outcome.status == 0, outcome.err
    assert terms_of() == OF_PICTURES - {"unmasked"} | {"mine"}
    assert summary_of()["criterion"]["mine"] == 0.25


def test_a_term_of_ones_own_that_lacks_what_it_needs_is_one_sentence(command, tiny, own):
    term = f"+loss.terms.mine={{_target_: {own}.Gate}}"
    outcome = command("train", *tiny, RUN, *SHORT, term)
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith("error: loss.terms.mine needs a head that predicts gate: model.head=")
    assert last.endswith("; or set loss.terms.mine.weight=0.")
    assert command("train", *tiny, "hydra.run.dir=fed", *SHORT, term, "model.head=decomposition").status == 0
    assert "mine" in terms_of("fed")


def test_an_option_that_a_term_of_ones_own_does_not_have_is_one_sentence(command, tiny, own):
    outcome = command("train", *tiny, RUN, *SHORT, f"+loss.terms.mine={{_target_: {own}.Edge, row: 7}}")
    assert outcome.status == 1
    assert "error: loss.terms.mine.row: there is no such option of loss.terms.mine. Did you mean rows?" in outcome.err
