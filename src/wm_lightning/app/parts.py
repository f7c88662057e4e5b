"""What both tabs of the page use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from wm_lightning.app.sessions import Job
from wm_lightning.app.views import said
from wm_lightning.app.words import Words
from wm_lightning.app.work import Cleaner, sentence_of
from wm_lightning.files import FORMATS
from wm_lightning.inference.search import NORMAL

WAITING = 60  # jobs at the most
HOUR, DAY = 3600, 24 * 3600  # seconds

# Jobs that run the network wait for each other: two at once would each take twice the time and the memory.
NETWORK: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": 1}
HEAVY: dict[str, Any] = {**NETWORK, "api_visibility": "private"}
LIGHT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def settings_of(cleaner: Cleaner, texts: gr.I18n, where: str) -> tuple[gr.Slider, gr.Slider, gr.Dropdown]:
    """Puts strength, sensitivity and the choice of the network on the page."""
    names = list(cleaner.engines)
    strength = gr.Slider(
        0, 1, 1, step=0.05, label=texts("strength"), info=texts("strength_info"), elem_id=f"strength-{where}"
    )
    sensitivity = gr.Slider(
        0, 1, NORMAL, step=0.01, label=texts("sensitivity"), info=texts("sensitivity_info"),
        elem_id=f"sensitivity-{where}",
    )  # fmt: skip
    weights = gr.Dropdown(
        names, value=names[0], label=texts("model"), visible=len(names) > 1, elem_id=f"weights-{where}"
    )
    return strength, sensitivity, weights


def status_line(name: str) -> gr.HTML:
    """Puts a line on the page that says what goes on."""
    return gr.HTML("", elem_id=name, elem_classes="status", padding=False)


def limits(cleaner: Cleaner, words: Words) -> str:
    """Says which pictures are taken."""
    return words("limits", formats=", ".join(dict.fromkeys(FORMATS.values())), megapixels=cleaner.max_megapixels)


def words_for(request: gr.Request) -> Words:
    """Returns the texts in the language of the browser."""
    return Words.asked(dict(request.headers))


def refusal(error: Exception, name: str, words: Words) -> str:
    """Returns an error as the page shows it: never without a sentence."""
    return said(words.core(sentence_of(error, name)), error=True)


def session_of(request: gr.Request) -> str:
    """Returns the name of an open page."""
    return str(request.session_hash)


def teller(progress: gr.Progress, what: str, words: Words, job: Job) -> Callable[[int], None]:
    """Returns what shows how far a picture is, and stops the work on it when the page was closed."""

    def tell(tiles: int) -> None:
        job.check()
        progress((tiles, None), desc=what, unit=words("tiles"))

    return tell
