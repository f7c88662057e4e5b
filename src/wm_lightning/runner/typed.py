"""What was typed to begin a run, so that it can be told how the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from wm_lightning.commands import override, program, shell
from wm_lightning.runner.build import shown
from wm_lightning.trained.older import new_override

# What a run that goes on has from its checkpoint: where it is, and the weights that it once began with
FROM_CHECKPOINT = ("ckpt_path", "weights", "paths.output_dir")


def typed() -> dict[str, Any] | None:
    """Returns the arguments of this run and the folder they were typed in; None for a trial, which nobody typed."""
    hydra = HydraConfig.get()
    if hydra.job.config_name == "sweep":
        return None
    return {"arguments": [*_flags(hydra), *_lasting(hydra.overrides.task)], "folder": hydra.runtime.cwd}


def recorded(checkpoint: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Returns what was typed to begin the run that a checkpoint is of.

    Args:
        checkpoint: Its content; one that does not say has Hydra's records in its run's folder.
        path: Of its file.
    """
    if "typed" in checkpoint:
        begun = dict(checkpoint["typed"])
        return {**begun, "arguments": [new_override(word) for word in begun["arguments"]]}
    records = Path(path).resolve().parent.parent / ".hydra"
    if not (records / "overrides.yaml").is_file():
        return None
    overrides = _lasting(OmegaConf.to_object(OmegaConf.load(records / "overrides.yaml")))
    arguments = [new_override(word) for word in overrides]
    if not (records / "hydra.yaml").is_file():  # a trial's
        return {"arguments": arguments, "folder": str(Path.cwd())}
    hydra = OmegaConf.load(records / "hydra.yaml").hydra
    return {"arguments": [*_flags(hydra), *arguments], "folder": hydra.runtime.cwd}


def command_to_go_on(begun: dict[str, Any], checkpoint: str) -> str:
    """Returns the command that goes on with a run.

    Args:
        begun: What was typed to begin it. Where that was in another folder, the command goes there first: what was
            typed may hold relative paths.
        checkpoint: Where it goes on from.
    """
    folder = Path(begun["folder"])
    elsewhere = folder != Path.cwd() and folder.is_dir()
    path = str(Path(checkpoint).absolute()) if elsewhere else shown(checkpoint)
    words = shell(*program("train"), *begun["arguments"], override("ckpt_path", path))
    return f"{shell('cd', str(folder))} && {words}" if elsewhere else words


def _flags(hydra: Any) -> list[str]:  # noqa: ANN401 - Hydra says HydraConf and means what holds one
    """Returns what says which configuration files were read."""
    own = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    name = hydra.job.config_name
    return [*(word for path in own for word in ("--config-dir", path)), *(() if name == "train" else ("-cn", name))]


def _lasting(overrides: Any) -> list[str]:  # noqa: ANN401 - a list of strings, of Hydra's or not
    entries = OverridesParser.create().parse_overrides(list(overrides))
    return [str(entry.input_line) for entry in entries if entry.key_or_group not in FROM_CHECKPOINT]
