"""The tab for one picture: clean it, look at it, say what is a mark and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from wm_lightning.app import views
from wm_lightning.app.painting import Painting
from wm_lightning.app.parts import (
    HEAVY,
    LIGHT,
    limits,
    refusal,
    session_of,
    settings_of,
    status_line,
    teller,
    words_for,
)
from wm_lightning.app.sessions import Sessions
from wm_lightning.app.words import Words
from wm_lightning.app.work import Cleaner, Result, Settings
from wm_lightning.errors import UserError
from wm_lightning.files import FORMATS

ONE, MASK = "one", "mask"  # folders of a session
PAINTER = Path(__file__).with_name("painter.js").read_text(encoding="utf-8")
# The first input is what was painted, which is known to the browser alone until it is asked for.
WITH_STROKES = """(...inputs) => {
    inputs[0] = JSON.stringify(document.querySelector('#painter canvas')?.strokes ?? []);
    return inputs;
}"""
HIDDEN = gr.update(visible=False)
NOTHING = (None, HIDDEN, "", "", HIDDEN, HIDDEN, HIDDEN)  # after the status


def one_picture(page: gr.Blocks, cleaner: Cleaner, sessions: Sessions, texts: gr.I18n) -> None:
    """Puts the tab on the page.

    Args:
        page: As a whole.
        cleaner: Does the work.
        sessions: Keep the files.
        texts: Of the page.
    """
    work = _Work(cleaner, sessions)
    source, mask, result = gr.State(None), gr.State(None), gr.State(None)
    strokes = gr.Textbox("", visible=False)
    with gr.Row(elem_id="one"):
        with gr.Column(scale=1, min_width=280):
            drop = gr.File(label=texts("drop"), file_types=list(FORMATS), height=150, elem_id="drop")
            status = status_line("status")
            download = gr.DownloadButton(
                str(texts("download")), variant="primary", visible=False, elem_id="download"
            )  # fmt: skip
            download_mask = gr.DownloadButton(str(texts("download_mask")), visible=False, elem_id="download-mask")
        with gr.Column(scale=2, min_width=320, visible=False, elem_id="results") as results:
            with gr.Tab(texts("compare")):
                slider = gr.HTML(elem_id="slider", apply_default_css=False)
            with gr.Tab(texts("found")):
                marks = gr.HTML(elem_id="marks", apply_default_css=False)
                boxes = gr.CheckboxGroup([], label=texts("boxes"), visible=False, elem_id="boxes")
            with gr.Tab(texts("paint")):
                painter = gr.HTML(elem_id="painter", apply_default_css=False, js_on_load=PAINTER)
                apply = gr.Button(texts("again"), variant="primary", elem_id="apply")
                given = gr.File(label=texts("mask_file"), file_types=list(FORMATS), height=150, elem_id="given-mask")
        with gr.Column(scale=1, min_width=280):
            strength, sensitivity, weights = settings_of(cleaner, texts, "one")
    shown = [status, result, results, slider, marks, boxes, download, download_mask]
    inputs = [strokes, source, weights, strength, sensitivity, mask]
    again: dict[str, Any] = {"show_progress_on": [status], "js": WITH_STROKES, **HEAVY}

    page.load(work.greet, None, status, **LIGHT)
    drop.upload(work.take, drop, [source, drop, mask, given, painter, *shown], **LIGHT).then(
        work.clean_new, [source, weights, strength, sensitivity], [painter, *shown], show_progress_on=[status], **HEAVY
    )
    apply.click(work.clean, inputs, shown, **again)
    for changed in (strength.release, sensitivity.release, weights.input):
        changed(work.clean, inputs, shown, trigger_mode="always_last", **again)
    boxes.input(
        work.switch, [source, result, boxes], [status, slider, download, download_mask], trigger_mode="always_last",
        show_progress_on=[status], concurrency_id="boxes", concurrency_limit=1, api_visibility="private",
    )  # fmt: skip
    given.upload(work.take_mask, given, [mask, status], **LIGHT)
    given.clear(work.drop_mask, None, [mask, status], **LIGHT)


class _Work:
    """What the tab's buttons do."""

    def __init__(self, cleaner: Cleaner, sessions: Sessions) -> None:
        self.cleaner, self.sessions = cleaner, sessions

    def greet(self, request: gr.Request) -> str:
        return views.said(limits(self.cleaner, words_for(request)))

    def take(self, upload: str, request: gr.Request) -> tuple[Any, ...]:
        words, name = words_for(request), Path(upload).name
        try:
            with self.sessions.job(session_of(request)) as job:
                (path,) = job.take(ONE, [upload])
        except Exception as error:
            return None, None, None, None, "", refusal(error, name, words), *NOTHING
        # The place is free for the next picture, and nothing of the last one is left.
        return path, None, None, None, "", views.said(words("working", name=name)), *NOTHING

    def take_mask(self, upload: str, request: gr.Request) -> tuple[Path | None, str]:
        words, name = words_for(request), Path(upload).name
        try:
            with self.sessions.job(session_of(request)) as job:
                (path,) = job.take(MASK, [upload])
        except Exception as error:
            return None, refusal(error, name, words)
        return path, views.said(words("mask_taken", name=name))

    def drop_mask(self, request: gr.Request) -> tuple[None, str]:
        return None, views.said(words_for(request)("mask_dropped"))

    def clean_new(
        self, path: Path | None, weights: str, strength: float, sensitivity: float, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio finds it
    ) -> tuple[Any, ...]:  # fmt: skip
        words = words_for(request)
        if path is None:  # it could not be taken, which is said already
            return tuple(gr.skip() for _ in range(2 + len(NOTHING)))
        shown = self._cleaned(path, "", (weights, strength, sensitivity), None, request, progress)
        result = shown[1]
        return (views.painter(result, path.name, words) if result else "", *shown)

    def clean(
        self, strokes: str, path: Path | None, weights: str, strength: float, sensitivity: float, mask: Path | None,
        request: gr.Request, progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:  # fmt: skip
        return self._cleaned(path, strokes, (weights, strength, sensitivity), mask, request, progress)

    def switch(
        self, path: Path, result: Result | None, chosen: Sequence[int], request: gr.Request
    ) -> tuple[Any, ...]:  # fmt: skip
        words = words_for(request)
        try:
            with self.sessions.job(session_of(request)) as job:
                if result is None or not path.exists():
                    raise UserError(words("gone"))
                off = set(range(len(result.findings.marks))) - set(chosen)
                now = self.cleaner.without(path, job.results(ONE), result, off)
        except Exception as error:
            return refusal(error, path.name, words), gr.skip(), gr.skip(), gr.skip()
        told = views.said(views.summary(now, path.name, words))
        return told, views.compare(now, path.name, words), str(now.file), str(now.mask)

    def _cleaned(
        self, path: Path | None, strokes: str, chosen: tuple[str, float, float], mask: Path | None,
        request: gr.Request, progress: gr.Progress,
    ) -> tuple[Any, ...]:  # fmt: skip
        words = words_for(request)
        if path is None:
            return views.said(words("drop_first"), error=True), *NOTHING
        try:
            settings = Settings(*chosen, painting=Painting.read(strokes), mask=mask)
            with self.sessions.job(session_of(request)) as job:
                if not path.exists():
                    raise UserError(words("gone"))
                tell = teller(progress, path.name, words, job)
                result = self.cleaner.clean(path, job.results(ONE), settings, tell)
        except Exception as error:
            return refusal(error, path.name, words), *NOTHING
        return _shown(result, path.name, words)


def _shown(result: Result, name: str, words: Words) -> tuple[Any, ...]:
    choices = views.boxes(result, words)
    return (
        views.said(views.summary(result, name, words)),
        result,
        gr.update(visible=True),
        views.compare(result, name, words),
        views.found(result, name, words),
        gr.update(choices=choices, value=[number for _, number in choices], visible=bool(choices)),
        gr.update(value=str(result.file), visible=True),
        gr.update(value=str(result.mask), visible=True),
    )
