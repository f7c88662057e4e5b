import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.runner.explanations import explain, naming_keys
from wm_lightning.runner.keys import Keys

CONFIG = OmegaConf.create(
    {
        "model": {"_target_": "wm_lightning.models.DnCNN", "depth": 1},
        "loss": {
            "_target_": "wm_lightning.losses.CompositeLoss",
            "alpha": 0.1,
            "terms": {"perceptual": {"_target_": "wm_lightning.losses.Perceptual", "weights": "auto"}},
        },
        "optim": {
            "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.1},
            "scheduler": {"_target_": "wm_lightning.engine.WarmUp", "lr": 0.1, "epochs": 2},
        },
        "data": {
            "_target_": "wm_lightning.data.FolderDataModule",
            "root": "???",
            "seed": "${seed}",
            "augment": "${augment}",
        },
        "augment": {"after_crop": [{"_target_": "wm_lightning.models.DnCNN", "depth": 0}]},
        "weights": "general",
        "seed": 0,
    }
)


@pytest.mark.parametrize(
    ("building", "name", "key"),
    [
        ("model", "depth", "model.depth"),
        ("model", "width", "model.width"),  # not set, but could be
        ("loss", "weights", "loss.terms.perceptual.weights"),
        ("loss", "reduce", "loss.terms.perceptual.reduce"),
        ("loss", "terms", "loss.terms"),
        ("data.augment.after_crop[0]", "depth", "augment.after_crop[0].depth"),
        ("", "root", "data.root"),
        ("", "cache", "data.cache"),
        ("", "seed", "seed"),
        ("data", "seed", "seed"),
        ("", "optimizer", "optim.optimizer"),
        ("", "optimizer.lr", "optim.optimizer.lr"),
        ("", "epochs", "optim.scheduler.epochs"),
        ("", "lr", "lr"),  # of which there are two
        ("", "nobodys.lr", "lr"),
        ("", "weights", "weights"),
        ("", "nowhere", "nowhere"),
        ("model.head", "opacity", "model.head.opacity"),  # a checkpoint's, which this configuration does not have
    ],
)
def test_an_argument_has_the_key_that_sets_it(building, name, key):
    keys = Keys(CONFIG)
    assert (keys.building_of(building) if building else keys).of(name) == key


def test_what_a_constructor_refuses_is_named_once():
    with pytest.raises(UserError, match=r"^model\.depth=1 must be at least 3\.$"), naming_keys(CONFIG):
        instantiate(CONFIG.model)


def test_what_is_refused_later_is_named_too():
    with pytest.raises(UserError, match=r"^data\.root=x is no folder\.$"), naming_keys(CONFIG):
        raise ArgumentError("{root}={} is no folder.", "x")


def test_without_a_configuration_the_argument_is_named():
    assert explain(ArgumentError("{root}={} is no folder.", "x")) == "root=x is no folder."


def test_bugs_and_other_sentences_go_through():
    with pytest.raises(ZeroDivisionError), naming_keys(CONFIG):
        raise ZeroDivisionError
    with pytest.raises(UserError, match=r"^synthesis\.fonts: there is no \{root\}\.$"), naming_keys(CONFIG):
        raise UserError("synthesis.fonts: there is no {root}.")


def test_a_sentence_from_a_loaders_process_has_the_key_too():
    trace = (
        "Caught ArgumentError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        '  File "cache.py", line 96, in _store\n    raise ArgumentError("{root}={} is {x.y}", path)\n'
        "wm_lightning.errors.ArgumentError: root=/a/seed=3 cannot be read; set depth=none.\n"
    )
    sentence = explain(ArgumentError(trace), OmegaConf.create({"data": {"root": "x"}, "seed": 0}))
    assert sentence == "data.root=/a/seed=3 cannot be read; set depth=none."
