import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.processes import run_script
from wm_lightning.errors import UserError
from wm_lightning.trained import load, read

TINY = """
stages:
  - name: first
    train: [model=pixel_unshuffle_unet, "model.widths=[4,6]", synthesis.logos=LOGOS]
  - name: deeper
    below: [8]
  - name: second
    train: [model=pixel_unshuffle_unet, optim.optimizer.lr=1e-3]
    mean: [deeper]
scores:
  held_out: [synthesis=held_out]
"""
OPTIONS = (
    "data=folder", "data.size=32", "data.batch_size=4", "data.num_workers=0", "data.repeats=1", "data.target=clean",
    "trainer.max_epochs=1", "trainer.precision=32-true", "trainer.enable_progress_bar=false", "loss.alpha=0",
    "synthesis.system_fonts=false", "callbacks.figures.names=[]", "logger=none",
)  # fmt: skip


@pytest.fixture
def make(tmp_path, monkeypatch, photographs):
    """Runs the command on a recipe."""

    def run(*options, recipe=TINY):
        import make_weights

        file = tmp_path / "tiny.yaml"
        file.write_text(recipe)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["make_weights.py", str(file), str(photographs), *options])
        make_weights.main()
        return tmp_path / "outputs" / "weights" / "tiny"

    return run


def test_stages_follow_each_other_and_the_result_is_scored(make, monkeypatch):
    import make_weights

    def run(words, check):
        return run_script(Path(words[1]), *words[2:], folder=Path.cwd())

    monkeypatch.setattr(make_weights, "subprocess", SimpleNamespace(run=run))
    output = make(*OPTIONS)
    first, deeper, second = (read(str(output / f"{name}.safetensors")) for name in ("first", "deeper", "second"))
    assert first["config"]["model"]["widths"] == [4, 6]
    assert second["config"]["model"]["widths"] == [4, 6, 8]
    trained = read(str(output / "second" / "checkpoints" / "best.ckpt"))
    name = "net.last.weight"
    mean = (trained["state_dict"][name] + deeper["state_dict"][name]) / 2
    torch.testing.assert_close(second["state_dict"][name], mean)
    assert not torch.equal(trained["state_dict"][name], deeper["state_dict"][name])

    shipped = load(str(output / "shipped" / "tiny.safetensors"))
    scores = json.loads((output / "scores" / "held_out" / "metrics.json").read_text())["test"]
    assert shipped.card["metrics"]["held_out"]["gain"] == scores["gain"]
    torch.testing.assert_close(shipped.net.state_dict()["last.weight"], mean, atol=1e-3, rtol=1e-3)


@pytest.fixture
def ran(monkeypatch):
    """Records what would be run; trains nothing."""
    import make_weights

    commands = []

    def run(program, overrides):
        commands.append((program, list(overrides)))
        raise UserError("stopped")

    monkeypatch.setattr(make_weights, "_run", run)
    return commands


def test_an_interrupted_training_is_gone_on_with(make, ran, tmp_path):
    with pytest.raises(SystemExit, match="stopped"):
        make("trainer=cpu")
    assert ran[-1][0] == "train"
    assert "weights=null" in ran[-1][1]
    assert "trainer=cpu" in ran[-1][1]
    last = tmp_path / "outputs" / "weights" / "tiny" / "first" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.touch()
    with pytest.raises(SystemExit, match="stopped"):
        make()
    assert f"ckpt_path={last}" in ran[-1][1]
    assert not any(override.startswith("weights=") for override in ran[-1][1])


def test_it_can_begin_with_a_later_stage_and_given_weights(make, ran):
    with pytest.raises(SystemExit, match="stopped"):
        make("--stage", "second", "--weights", "general")
    assert "weights=general" in ran[-1][1]
    assert "model.widths=[48,96,128,160,192,192]" in ran[-1][1]


def test_folders_stand_where_the_recipe_names_them(make, ran, tmp_path, photographs):
    with pytest.raises(SystemExit, match="stopped"):
        make("--logos", str(tmp_path))
    assert f"synthesis.logos={tmp_path}" in ran[-1][1]
    assert f"data.root={photographs}" in ran[-1][1]
    with pytest.raises(SystemExit, match="stopped"):
        make()
    assert not any("logos" in override for override in ran[-1][1])


@pytest.mark.parametrize(
    ("options", "recipe", "said"),
    [
        (("--stage", "third"), TINY, "--stage third: stages are first, deeper, second."),
        ((), "stages: [{name: one, trian: [a=b]}]", "stage one has trian; keys are name, train, below, mean."),
        *(((), recipe, "has no stages; list them") for recipe in ("scores: {}", "stages: []", "- name: one")),
        ((), "stages: [{name: one, below: [8]}]", "stage one adds levels to a network; give it one"),
    ],
)
def test_what_cannot_be_done_is_said(make, options, recipe, said):
    with pytest.raises(SystemExit) as stopped:
        make(*options, recipe=recipe)
    assert said in str(stopped.value)


def test_an_unknown_recipe_is_told_which_there_are():
    from make_weights import TOP, read_recipe

    with pytest.raises(UserError, match=r"recipes are .*general"):
        read_recipe(TOP / "weights" / "nothing.yaml")


def test_the_recipe_that_comes_along_is_one_that_training_takes():
    """Each stage's overrides compose."""
    import hydra
    from make_weights import TOP, read_recipe

    from wm_lightning.files import CONF

    recipe = read_recipe(Path(TOP) / "weights" / "general.yaml")
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        for stage in recipe.stages:
            hydra.compose("train", overrides=list(stage.train))
        for overrides in recipe.scores.values():
            hydra.compose("evaluate", overrides=overrides)
