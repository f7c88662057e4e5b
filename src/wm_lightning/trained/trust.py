"""Whose code a file may ask for.

A checkpoint or weight file says by name which classes it is made of. Built unseen, such a name could stand for anything
that Python can call. So a file may ask for the classes below, none of which does more than its part of a network, a
loss or the data; and for classes of packages that the caller trusts. What is refused is refused before anything of it
is imported.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import partial
from typing import Any

from wm_lightning.errors import NamingError, UserError

TARGET, PARTIAL = "_target_", "_partial_"
# Of this project; every class that conf/ names for these parts is among them, which a test holds.
OWN = frozenset(
    f"wm_lightning.{name}"
    for name in (
        *(f"models.{net}" for net in ("DnCNN", "HeterogeneousUNet", "NAFNet", "SWCNN", "PixelUnshuffleUNet")),
        *(f"models.heads.{head}Head" for head in ("Direct", "Residual", "Masked", "Decomposition")),
        "losses.CompositeLoss",
        *(f"losses.{l1}L1" for l1 in ("Masked", "Unmasked", "Opacity", "Layer", "Background", "Inpainting")),
        *(
            f"losses.{term}"
            for term in ("Lab", "Laplacian", "MaskBce", "MaskIou", "NegativePsnr", "Perceptual", "Ssim")
        ),
        *(f"data.{kind}DataModule" for kind in ("Demo", "Folder", "Paired", "Streaming", "StreamingPairs")),
        "data.Augmentation",
        "data.synthesis.Synthesizer",
        "mark.drawing.MarkFileSynthesizer",
        *(f"data.synthesis.{kind}Sampler" for kind in ("Mark", "Text", "Logo", "Design", "Degradation")),
        "engine.WatermarkRemoval",
    )
)


def check_trusted(node: Any, path: str, trust: Sequence[str] = ()) -> None:  # noqa: ANN401 - whatever a file holds
    """Checks a part of a configuration that came from a file, with all below it.

    Args:
        node: The part: dictionaries, lists and plain values, as :func:`~wm_lightning.trained.read` returns them.
        path: Of the file, for the sentence.
        trust: Names of packages beside this one whose classes may be built.

    Raises:
        UserError: It asks for other code, or holds what could ask for it later.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            if key == TARGET:
                trusted_class(value, path, trust)
            elif str(key).startswith("_") and key != PARTIAL:
                raise UserError(f"{path} holds {key}, which no file of this project does; it was not used.")
            check_trusted(value, path, trust)
    elif isinstance(node, list):
        for item in node:
            check_trusted(item, path, trust)
    elif isinstance(node, str):
        if "${" in node:  # would be worked out, perhaps to a part with a target; what this project writes has been
            raise UserError(f"{path} holds {node!r}, which no file of this project does; it was not used.")
    elif node is not None and not isinstance(node, bool | int | float):
        raise UserError(f"{path} holds a {type(node).__name__}, which no file of this project does; it was not used.")


def packages_asked_for(node: Any) -> set[str]:  # noqa: ANN401 - a configuration, or a part of it
    """Returns the packages that a file with this configuration has to be trusted with to be used."""
    if isinstance(node, list):
        return set().union(*map(packages_asked_for, node))
    if not isinstance(node, dict):
        return set()
    own = {str(node[TARGET]).partition(".")[0]} if TARGET in node and node[TARGET] not in OWN else set()
    return own.union(*map(packages_asked_for, node.values()))


def build(node: Any, path: str, trust: Sequence[str] = ()) -> Any:  # noqa: ANN401 - whatever it asks for
    """Builds what a ``_target_`` stands for, with all below it; arguments and errors as of :func:`check_trusted`.

    Raises:
        TypeError, ValueError: The class does not take these arguments.
    """
    if isinstance(node, list):
        return [build(item, path, trust) for item in node]
    if not isinstance(node, dict):
        return node
    built = {key: build(value, path, trust) for key, value in node.items() if key not in (TARGET, PARTIAL)}
    if TARGET not in node:
        return built
    kind = trusted_class(node[TARGET], path, trust)
    return partial(kind, **built) if node.get(PARTIAL) else kind(**built)


def trusted_class(target: object, path: str, trust: Sequence[str] = ()) -> type:
    """Returns the class that a file asks for by its full name; arguments and errors as of :func:`check_trusted`."""
    name = str(target or "")
    package = name.partition(".")[0]
    if name not in OWN and package not in trust:
        how = "" if package == "wm_lightning" or not package else f" Name {package} in {{trust}} if you know it."
        raise NamingError(
            "{} asks for {}, which is not of this project; it could be any code, so nothing was built." + how,
            path,
            name or "a class without a name",
        )
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} asks for {name}, which cannot be found ({error}); install it, or go to the folder it is in."
        ) from error
    # A name may lead out of its package again: my_package.files.os.system
    if not isinstance(found, type) or found.__module__.partition(".")[0] != package:
        raise UserError(f"{path} asks for {name}, which is no class of {package}; it was not built.")
    return found
