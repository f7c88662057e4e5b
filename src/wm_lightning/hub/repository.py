"""A network as a repository of the Hugging Face Hub: its weights, and a card that says what they are."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCardData, constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from wm_lightning.errors import ArgumentError, UserError, writable
from wm_lightning.files import replacing
from wm_lightning.trained import read
from wm_lightning.trained.weights import SUFFIX, write_weights

WEIGHTS = f"model{SUFFIX}"  # by this name the Hub recognises a repository's weights
HTTP_CLIENTS = "httpx"  # and httpx2: the library's, by its version
CARD = """---
{metadata}
---

# {name}

A network that removes visible watermarks from photographs, for [wm-lightning](https://pypi.org/p/wm-lightning).

```bash
pip install 'wm-lightning[hub]'
wm-hub pull {repository}
wm-predict photo.jpg -o cleaned/ --weights {file}
```

| | |
|---|---|
{rows}

Remove watermarks only from pictures you have the right to change.
"""


def push(weights: str, repository: str, private: bool = True, half: bool = False) -> str:
    """Uploads a network's weights, its configuration without paths of this machine, and a card.

    Args:
        weights: A checkpoint, a file of weights, or the name of shipped ones.
        repository: ``OWNER/NAME``; made where there is none.
        private: Whether a new repository is for its owner alone.
        half: Keeps weights as float16, at half the size.

    Returns:
        The address of what was uploaded.

    Raises:
        UserError: The weights cannot be read, or the Hub cannot be reached, or refuses.
    """
    content = read(weights)
    api = HfApi(library_name="wm-lightning")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_weights(content, folder / WEIGHTS, half)
        (folder / "README.md").write_text(card_of(content, repository), encoding="utf-8")
        with _in_sentences(repository):
            api.create_repo(repository, private=private, exist_ok=True)
            done = api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload of wm-hub")
    return str(done.commit_url)


def pull(repository: str, path: Path, revision: str | None = None, overwrite: bool = False) -> str:
    """Downloads a network's weights, and sees that they are of this project; nothing of them is run.

    Args:
        repository: ``OWNER/NAME``.
        path: Of the file, which ends in ``.safetensors``; written beside its place and renamed.
        revision: A branch, tag or commit; None takes the newest of the main branch.
        overwrite: Whether a file that is there is replaced.

    Returns:
        The commit that the weights are of.

    Raises:
        UserError: The file is there already, cannot be written, or has another suffix; the Hub cannot be reached, or
            has no such weights; or they are of another project.
    """
    if path.suffix != SUFFIX:
        raise ArgumentError("{path}={} must end in %s." % SUFFIX, path)  # noqa: UP031 - braces are places for arguments
    if path.exists() and not overwrite:
        raise UserError(f"{path} is there already; choose another name with -o, or replace it with --overwrite.")
    with tempfile.TemporaryDirectory() as folder:
        with _in_sentences(repository):
            commit = str(HfApi(library_name="wm-lightning").model_info(repository, revision=revision).sha)
            file = Path(hf_hub_download(repository, WEIGHTS, revision=commit, local_dir=folder))
        try:
            read(str(file))
        except UserError as error:  # which names a file that is gone by the time it is read
            raise UserError(str(error).replace(str(file), f"{WEIGHTS} of {repository}")) from error
        with writable(path), replacing(path) as draft:
            draft.write_bytes(file.read_bytes())
    return commit


def card_of(content: Mapping[str, Any], repository: str) -> str:
    """Returns the card of a network as the Hub shows it: YAML that it reads, and Markdown that people read.

    Args:
        content: As :func:`~wm_lightning.trained.read` returns it.
        repository: ``OWNER/NAME``.
    """
    card, name = content.get("card", {}), repository.rpartition("/")[2]
    licence = str(card.get("licence", "")).lower()
    data = ModelCardData(
        license=licence or None,
        library_name="wm-lightning",
        pipeline_tag="image-to-image",
        tags=["watermark-removal", "image-restoration"],
    )
    told = {"network": content["config"]["model"]["_target_"].rpartition(".")[2], "epoch": content["epoch"], **card}
    rows = (f"| {key.replace('_', ' ')} | {_told(value)} |" for key, value in told.items())
    return CARD.format(
        metadata=data.to_yaml(), name=name, repository=repository, file=f"{name}{SUFFIX}", rows="\n".join(rows)
    )


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(part)}" for key, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


@contextmanager
def _in_sentences(repository: str) -> Iterator[None]:
    """Turns the library's errors into sentences.

    Raises:
        UserError: In place of each.
    """
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # not its advice; what it raises is told below
    try:
        yield
    except HFValidationError as error:
        raise UserError(f"{repository} names no repository; give OWNER/NAME.") from error
    except LocalTokenNotFoundError as error:
        raise UserError("The Hub does not know who you are; type hf auth login, or set HF_TOKEN.") from error
    except RevisionNotFoundError as error:
        raise UserError(f"{repository} has no such revision; give a branch, a tag or a commit.") from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{constants.ENDPOINT} has no repository {repository}, or does not show it to you; check the name, and "
            "type hf auth login, or set HF_TOKEN."
        ) from error
    except LocalEntryNotFoundError as error:  # the connection was lost between two questions
        raise UserError(f"{constants.ENDPOINT} cannot be reached; try again when it can.") from error
    except EntryNotFoundError as error:
        raise UserError(f"{repository} holds no {WEIGHTS}; it is not of wm-hub push.") from error
    except HfHubHTTPError as error:
        raise UserError(f"{constants.ENDPOINT} refuses {repository}: {str(error).partition(chr(10))[0]}.") from error
    except Exception as error:
        online = isinstance(error, (ConnectionError, TimeoutError)) or type(error).__module__.startswith(HTTP_CLIENTS)
        if online:
            raise UserError(f"{constants.ENDPOINT} cannot be reached ({error}); try again when it can.") from error
        if isinstance(error, OSError):  # a full disk
            raise UserError(f"{repository} cannot be kept on this machine: {error.strerror or error}.") from error
        raise
