"""What a search may change: a range or a list of choices for configuration keys and groups."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from wm_lightning.commands import override
from wm_lightning.errors import UserError
from wm_lightning.runner.configuration import plain, suggestion

_OPTIONS = ("low", "high", "step", "log")
_EXAMPLE = "'+space.loss.alpha={low: 0, high: 1}'"


def read_space(config: DictConfig) -> dict[str, BaseDistribution]:
    """Reads ``config.space``, whose keys are those of the configuration, nested or with dots.

    A value is a list of choices, or ``{low, high}`` with ``step`` or ``log``; null leaves the key out. Numbers are
    whole where all of a range's are, unless the key's own value is a float.

    Returns:
        The distribution of each key, by its full name.

    Raises:
        UserError: The space is empty, or a range in it cannot be used.
    """
    ranges = dict(_ranges(plain(config.space) if config.get("space") else {}, ""))
    if not ranges:
        raise UserError(f"space is empty; choose one with space=loss, or add a key with {_EXAMPLE}.")
    return {key: _distribution(key, node, OmegaConf.select(config, key)) for key, node in ranges.items()}


def describe(distribution: BaseDistribution) -> str:
    """Returns a range as text: equal texts are equal ranges."""
    if isinstance(distribution, CategoricalDistribution):
        return f"[{', '.join(map(str, distribution.choices))}]"
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    step = "" if distribution.step in (None, 1) else f", step {distribution.step}"
    return f"{distribution.low} to {distribution.high}{step}{', log' if distribution.log else ''}"


def corners(space: Mapping[str, BaseDistribution]) -> Iterator[dict[str, Any]]:
    """Yields few trials that between them have every choice and both ends of every range."""
    ends = {key: _ends(distribution) for key, distribution in space.items()}
    for number in range(max(map(len, ends.values()))):
        yield {key: values[number % len(values)] for key, values in ends.items()}


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Returns a trial's values as Hydra overrides."""
    return [override(key, value) for key, value in values.items()]


def _ranges(node: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(node, dict) and not node.keys() & set(_OPTIONS):
        for key, value in node.items():
            yield from _ranges(value, f"{path}.{key}" if path else str(key))
    elif node is not None:
        yield path, node


def _distribution(key: str, node: object, present: object) -> BaseDistribution:
    if isinstance(node, list):
        return _choices(key, node)
    if not isinstance(node, dict):
        raise UserError(f"space.{key}={node} is no range; give {{low: ..., high: ...}} or a list of choices.")
    for option in node:
        if option not in _OPTIONS:
            raise UserError(f"space.{key}.{option}: there is no such option of a range.{suggestion(option, _OPTIONS)}")
    for option in ("low", "high"):
        if node.get(option) is None:
            raise UserError(f"space.{key}.{option} is not set; a range needs low and high.")
    low, high, step = (_number(key, option, node.get(option)) for option in ("low", "high", "step"))
    log = node.get("log", False)
    assert low is not None
    assert high is not None
    if not isinstance(log, bool):
        raise UserError(f"space.{key}.log={log} must be true or false.")
    if low > high:
        raise UserError(f"space.{key}.low={low} is above high={high}; exchange them.")
    if log and (low <= 0 or step is not None):
        raise UserError(f"space.{key}.log needs low above 0 and no step; give other numbers or leave log out.")
    if step is not None and step <= 0:
        raise UserError(f"space.{key}.step={step} must be above 0.")
    if isinstance(present, float) or any(isinstance(number, float) for number in (low, high, step)):
        return FloatDistribution(low, high, log=log, step=step)
    return IntDistribution(int(low), int(high), log=log, step=1 if step is None else int(step))


def _choices(key: str, choices: list[Any]) -> CategoricalDistribution:
    if not choices:
        raise UserError(f"space.{key} is an empty list; give it choices, or null to leave the key out.")
    for choice in choices:
        if not isinstance(choice, (str, int, float, bool, type(None))):
            raise UserError(f"space.{key}: the choice {choice} must be one number, word, true, false or null.")
    return CategoricalDistribution(choices)


def _number(key: str, option: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UserError(f"space.{key}.{option}={value} must be a number.")
    return value


def suggest(trial: Trial, key: str, distribution: BaseDistribution) -> Any:  # noqa: ANN401 - what the range is of
    """Returns a trial's value of a key."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(key, distribution.choices)
    if isinstance(distribution, FloatDistribution):
        low, high = distribution.low, distribution.high
        return trial.suggest_float(key, low, high, step=distribution.step, log=distribution.log)
    assert isinstance(distribution, IntDistribution)
    low, high = distribution.low, distribution.high
    return trial.suggest_int(key, low, high, step=distribution.step, log=distribution.log)


def _ends(distribution: BaseDistribution) -> tuple[Any, ...]:
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return distribution.low, distribution.high
