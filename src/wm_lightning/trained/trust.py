"""Whose code a file may ask for.

A checkpoint or weight file says by name which classes it is made of. Built unseen, such a name could stand for anything
that Python can call. So only classes of this project are built, and those of packages that the caller trusts; what is
refused is refused before anything of it is imported.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import Any

from wm_lightning.errors import UserError

OWN = "wm_lightning"


def check_trusted(node: Any, path: str, trust: Sequence[str] = ()) -> None:  # noqa: ANN401 - whatever a file holds
    """Checks every ``_target_`` of a part of a configuration that came from a file.

    Args:
        node: The part: dictionaries, lists and plain values.
        path: Of the file, for the sentence.
        trust: Names of packages beside this one whose classes may be built.

    Raises:
        UserError: It asks for anything but classes of these packages.
    """
    if isinstance(node, dict):
        if "_target_" in node:
            trusted_class(node["_target_"], path, trust)
        for value in node.values():
            check_trusted(value, path, trust)
    elif isinstance(node, list):
        for item in node:
            check_trusted(item, path, trust)
    elif isinstance(node, str) and "${" in node:  # could become a part with a target later; what we write is resolved
        raise UserError(f"{path} holds {node!r}, which has to be worked out first; it was not written by this project.")


def build(node: Any, path: str, trust: Sequence[str] = ()) -> Any:  # noqa: ANN401 - whatever it asks for
    """Builds what a ``_target_`` stands for, with all below it; arguments and errors as of :func:`check_trusted`.

    Raises:
        TypeError, ValueError: The class does not take these arguments.
    """
    if isinstance(node, list):
        return [build(item, path, trust) for item in node]
    if not isinstance(node, dict):
        return node
    built = {key: build(value, path, trust) for key, value in node.items() if not key.startswith("_")}
    return trusted_class(node["_target_"], path, trust)(**built) if "_target_" in node else built


def trusted_class(target: object, path: str, trust: Sequence[str] = ()) -> type:
    """Returns the class that a file asks for by its full name; arguments and errors as of :func:`check_trusted`."""
    name, packages = str(target), (OWN, *trust)
    package = name.partition(".")[0]
    if package not in packages:
        raise UserError(
            f"{path} asks for {name or 'a network without a name'}, which is not this project's; a file can ask for "
            f"any code, so it was not built. If you know it: trust=[{package}] (--trust {package})."
        )
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{path} asks for {name}, which cannot be found ({error}).") from error
    # A name may lead out of its package again: wm_lightning.files.os.system
    if not isinstance(found, type) or found.__module__.partition(".")[0] not in packages:
        raise UserError(f"{path} asks for {name}, which is no class of {' or '.join(packages)}; it was not built.")
    return found
