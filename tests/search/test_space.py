import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from wm_lightning.errors import UserError
from wm_lightning.search.space import corners, describe, overrides, read_space

CONFIG = {"loss": {"alpha": 0.3}, "data": {"batch_size": 8}, "trainer": {"gradient_clip_val": None}}


def read(space):
    return read_space(OmegaConf.create({**CONFIG, "space": space}))


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"loss": {"alpha": {"low": 0, "high": 1}}}, FloatDistribution(0, 1)),  # as the key's own value is a float
        ({"loss.alpha": {"low": 0, "high": 1}}, FloatDistribution(0, 1)),
        ({"loss": {"alpha": {"low": 1e-4, "high": 1.0, "log": True}}}, FloatDistribution(1e-4, 1, log=True)),
        ({"loss": {"alpha": {"low": 0, "high": 1, "step": 0.25}}}, FloatDistribution(0, 1, step=0.25)),
        ({"data": {"batch_size": {"low": 4, "high": 16}}}, IntDistribution(4, 16)),
        ({"data": {"batch_size": {"low": 4, "high": 16, "step": 4}}}, IntDistribution(4, 16, step=4)),
        ({"data": {"batch_size": {"low": 1, "high": 64, "log": True}}}, IntDistribution(1, 64, log=True)),
        ({"trainer": {"gradient_clip_val": {"low": 0.1, "high": 1}}}, FloatDistribution(0.1, 1)),
        ({"trainer": {"gradient_clip_val": [None, 1.0]}}, CategoricalDistribution((None, 1.0))),
    ],
)
def test_ranges_become_distributions(space, expected):
    (found,) = read(space).values()
    assert found == expected


def test_nested_and_dotted_keys_are_the_same_and_null_leaves_a_key_out():
    nested = read({"loss": {"alpha": {"low": 0, "high": 1}}, "augment": ["light", "full"], "model": None})
    assert nested == read({"loss.alpha": {"low": 0, "high": 1}, "augment": ["light", "full"]})
    assert set(nested) == {"loss.alpha", "augment"}


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({}, "space is empty; choose one with space=loss"),
        (None, "space is empty"),
        ({"loss": {"alpha": None}}, "space is empty"),
        ({"loss": {"alpha": {"low": 1, "high": 0}}}, "space.loss.alpha.low=1 is above high=0; exchange them."),
        ({"loss": {"alpha": {"low": 1}}}, "space.loss.alpha.high is not set"),
        ({"loss": {"alpha": {"low": "a", "high": 1}}}, "space.loss.alpha.low=a must be a number."),
        ({"loss": {"alpha": {"low": True, "high": 1}}}, "space.loss.alpha.low=True must be a number."),
        ({"loss": {"alpha": {"low": 0, "hihg": 1}}}, "space.loss.alpha.hihg: there is no such option"),
        ({"loss": {"alpha": {"low": 0, "hihg": 1}}}, "Did you mean high?"),
        ({"loss": {"alpha": {"low": 0, "high": 1, "log": True}}}, "space.loss.alpha.log needs low above 0"),
        ({"loss": {"alpha": {"low": 0, "high": 1, "log": "yes"}}}, "space.loss.alpha.log=yes must be true or false."),
        ({"loss": {"alpha": {"low": 0, "high": 1, "step": 0}}}, "space.loss.alpha.step=0 must be above 0."),
        ({"loss": {"alpha": 0.3}}, "space.loss.alpha=0.3 is no range"),
        ({"loss": {"alpha": []}}, "space.loss.alpha is an empty list"),
        ({"loss": {"alpha": [[1], [2]]}}, "space.loss.alpha: the choice [1] must be"),
    ],
)
def test_a_bad_range_is_one_sentence_that_names_it(space, sentence):
    with pytest.raises(UserError) as error:
        read(space)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_number_that_is_not_finite_is_refused():
    for low, high in ((0, float("inf")), (float("nan"), 1)):
        with pytest.raises(UserError, match="must be a number"):
            read({"loss": {"alpha": {"low": low, "high": high}}})


def test_hydra_reads_every_value_back():
    values = {
        "a": 0.3745401188473625, "b": 1e-05, "c": 3, "d": None, "e": True, "f": "light", "g": "true", "h": "1e-3",
        "i": "it's, a [b]", "j": "folder/file-1.yaml", "k": "",
    }  # fmt: skip
    parsed = OverridesParser.create().parse_overrides(overrides(values))
    assert {entry.key_or_group: entry.value() for entry in parsed} == values


def test_corners_have_every_choice_and_both_ends():
    space = {"x": CategoricalDistribution(("a", "b", "c")), "y": FloatDistribution(0, 1), "z": IntDistribution(1, 1)}
    found = list(corners(space))
    assert [trial["x"] for trial in found] == ["a", "b", "c"]
    assert {trial["y"] for trial in found} == {0, 1}


def test_different_ranges_have_different_texts():
    distributions = [
        FloatDistribution(0, 1), FloatDistribution(0, 2), FloatDistribution(0, 1, step=0.5), IntDistribution(0, 1),
        FloatDistribution(0.1, 1), FloatDistribution(0.1, 1, log=True), CategoricalDistribution((0, 1)),
    ]  # fmt: skip
    assert len({describe(distribution) for distribution in distributions}) == len(distributions)
