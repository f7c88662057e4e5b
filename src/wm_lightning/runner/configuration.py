"""Checks of a configuration before anything is built from it.

Constructor signatures are the schema: a key that no argument takes, or a value of the wrong type, is found by
comparing each ``_target_`` node with what it would call, and reported by its full name.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_type_hints

from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from wm_lightning.errors import UserError
from wm_lightning.trained.older import new_name, new_value


def check_config(config: DictConfig) -> None:
    """Compares every ``_target_`` node with the signature of its target.

    Raises:
        UserError: A key or value does not fit; names it.
    """
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise UserError(f"{missing[0]} is not set; give it a value: {missing[0]}=VALUE.")
    _check(OmegaConf.to_container(config, resolve=True), "")


def check_filled(config: DictConfig) -> None:
    """Sees that no key is an empty word: as a path it would be the current folder.

    Raises:
        UserError: One is; names it.
    """
    for key, value in _leaves(OmegaConf.to_container(config), ""):
        if isinstance(value, str) and not value.strip():
            raise UserError(f"{key} is empty; give it a value ('.' is this folder), or leave it out.")


def _leaves(node: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, node


def _check(node: object, path: str) -> None:
    if isinstance(node, list):
        for number, item in enumerate(node):
            _check(item, f"{path}[{number}]")
    if not isinstance(node, dict):
        return
    inside = {f"{path}.{key}" if path else str(key): value for key, value in node.items()}
    for key, value in inside.items():
        if new := new_name(key):
            raise UserError(f"{key} is called {new} now.")
        if (now := new_value(key, value)) != value:
            raise UserError(f"{key}={value} is called {key}={now} now.")
    if "_target_" in node:
        _check_call(node, path)
    for key, value in inside.items():
        _check(value, key)


def _check_call(node: dict[str, Any], path: str) -> None:
    try:
        target = get_object(node["_target_"])
    except (HydraException, ImportError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}._target_={node['_target_']} cannot be imported ({reason}).") from error
    parameters, takes_any = parameters_of(target)
    values = {key: value for key, value in node.items() if not key.startswith("_")}
    for key, value in values.items():
        if key in parameters:
            _check_value(parameters[key], value, f"{path}.{key}")
        elif not takes_any:
            raise UserError(f"{path}.{key}: there is no such option of {path}.{suggestion(key, parameters)}")


def parameters_of(target: Callable[..., object]) -> tuple[dict[str, Any], bool]:
    """Returns the annotations of all arguments, and whether any other is taken too.

    A constructor that passes ``**options`` on takes what the next class of its line takes.
    """
    line = target.__mro__ if inspect.isclass(target) else (target,)
    found: dict[str, Any] = {}
    for owner in line:
        call = owner.__dict__.get("__init__") if inspect.isclass(owner) else owner
        if call is None:
            continue
        try:
            signature, hints = inspect.signature(call), get_type_hints(call)
        except (TypeError, ValueError, NameError):  # compiled, or annotated with names that only exist for checkers
            return found, True
        arguments = [argument for argument in signature.parameters.values() if argument.name != "self"]
        for argument in arguments:
            if argument.kind not in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL):
                found.setdefault(argument.name, hints.get(argument.name, Any))
        if not any(argument.kind == argument.VAR_KEYWORD for argument in arguments):
            return found, False
    return found, True


def _check_value(annotation: Any, value: object, path: str) -> None:  # noqa: ANN401 - any annotation
    if _becomes_other(value):
        return
    try:
        adapter: TypeAdapter[object] = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # types with a configuration of their own
        adapter = TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, TypeError, NameError):
        return
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        problems = sorted({problem["msg"] for problem in error.errors() if problem["type"] != "is_instance_of"})
        if problems:
            what = " or ".join(problem[0].lower() + problem[1:] for problem in problems)
            raise UserError(f"{path}={value!r} does not fit: {what}.") from error


def _becomes_other(value: object) -> bool:
    """Returns whether a value becomes objects, or a part of it does, before the argument sees it."""
    if isinstance(value, dict):
        return "_target_" in value or any(_becomes_other(item) for item in value.values() if isinstance(item, dict))
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def suggestion(key: str, known: Iterable[str]) -> str:
    """Returns `` Did you mean X?``, or the known names where none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1)
    return f" Did you mean {close[0]}?" if close else f" It takes: {', '.join(names)}."


def plain(config: DictConfig | ListConfig) -> Any:  # noqa: ANN401 - whatever YAML can hold
    """Returns the resolved configuration as plain containers."""
    return OmegaConf.to_container(config, resolve=True)
