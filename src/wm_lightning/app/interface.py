"""What programs call: ``gradio_client``, or any other over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from wm_lightning.app.painting import Painting
from wm_lightning.app.parts import NETWORK, session_of
from wm_lightning.app.sessions import Sessions
from wm_lightning.app.work import Cleaner, Settings, sentence_of
from wm_lightning.files import FORMATS
from wm_lightning.inference.search import NORMAL


def offer(cleaner: Cleaner, sessions: Sessions) -> None:
    """Offers ``/clean``: a picture, strength, sensitivity, model, strokes, a mask; returns file, mask and findings."""
    formats = list(FORMATS)
    with gr.Row(visible=False):
        inputs = [
            gr.File(label="picture", file_types=formats),
            gr.Number(1.0, label="strength", minimum=0, maximum=1),
            gr.Number(NORMAL, label="sensitivity", minimum=0, maximum=1),
            gr.Dropdown(list(cleaner.engines), value=next(iter(cleaner.engines)), label="model"),
            gr.Textbox("", label="strokes"),
            gr.File(label="mask", file_types=formats),
        ]
        outputs = [gr.File(label="cleaned"), gr.File(label="mask found"), gr.JSON(label="findings")]
        gr.Button().click(_clean(cleaner, sessions), inputs, outputs, api_name="clean", **NETWORK)


def _clean(cleaner: Cleaner, sessions: Sessions) -> Callable[..., tuple[str, str, dict[str, Any]]]:
    def clean(
        picture: str | None, strength: float, sensitivity: float, model: str, strokes: str,
        request: gr.Request, mask: str | None = None,  # what has a default need not be given
    ) -> tuple[str, str, dict[str, Any]]:  # fmt: skip
        """Removes the watermarks of a picture."""
        if not picture:
            raise gr.Error("Give a picture.", print_exception=False)
        try:
            with sessions.job(session_of(request)) as job:
                folder = job.call()
                (source, *rest) = job.take(folder, [path for path in (picture, mask) if path])
                painting, own_mask = Painting.read(strokes or ""), rest[0] if rest else None
                settings = Settings(model, strength, sensitivity, painting, own_mask)
                result = cleaner.clean(source, job.results(folder), settings, lambda tiles: job.check())
        except Exception as error:
            raise gr.Error(sentence_of(error, Path(picture).name), print_exception=False) from error
        notes = [*result.notes, *(["no mark is seen where one was painted"] if result.unseen else [])]
        return str(result.file), str(result.mask), {**result.findings.as_json(), "notes": notes}

    return clean
