"""The tab for many pictures, which come back in one ZIP file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from wm_lightning.app import views
from wm_lightning.app.outcomes import Outcome, pack
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
from wm_lightning.app.work import Cleaner, Settings
from wm_lightning.errors import UserError
from wm_lightning.files import FORMATS

MANY = "many"  # folder of a session
HIDDEN = gr.update(visible=False)


def many_pictures(page: gr.Blocks, cleaner: Cleaner, sessions: Sessions, max_pictures: int, texts: gr.I18n) -> None:
    """Puts the tab on the page.

    Args:
        page: As a whole.
        cleaner: Does the work.
        sessions: Keep the files.
        max_pictures: That are taken at once.
        texts: Of the page.
    """
    work = _Work(cleaner, sessions, max_pictures)
    sources = gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            drop = gr.File(
                label=texts("drop_many"), file_types=list(FORMATS), file_count="multiple", height=150,
                elem_id="drop-many",
            )  # fmt: skip
            same_mark = gr.Checkbox(label=texts("same_mark"), info=texts("same_mark_info"), elem_id="same-mark")
            strength, sensitivity, weights = settings_of(cleaner, texts, "many")
            start = gr.Button(texts("clean_many"), variant="primary", elem_id="start")
            status = status_line("status-many")
            download = gr.DownloadButton(
                str(texts("download_all")), variant="primary", visible=False, elem_id="download-all"
            )  # fmt: skip
        with gr.Column(scale=2, min_width=320):
            table = gr.HTML(visible=False, elem_id="table", apply_default_css=False)
    shown = [status, table, download]
    page.load(work.greet, None, status, **LIGHT)
    start.click(work.take, drop, [sources, drop, *shown], **LIGHT).then(
        work.clean, [sources, same_mark, weights, strength, sensitivity], shown, show_progress_on=[status], **HEAVY
    )


class _Work:
    """What the tab's button does."""

    def __init__(self, cleaner: Cleaner, sessions: Sessions, max_pictures: int) -> None:
        self.cleaner, self.sessions, self.max_pictures = cleaner, sessions, max_pictures

    def greet(self, request: gr.Request) -> str:
        words = words_for(request)
        return views.said(f"{words('at_most', count=self.max_pictures)} {limits(self.cleaner, words)}")

    def take(self, uploads: Sequence[str] | None, request: gr.Request) -> tuple[Any, ...]:
        words, count = words_for(request), len(uploads or ())
        try:
            if not uploads:
                raise UserError(words("drop_many_first"))
            if count > self.max_pictures:
                raise UserError(words("too_many", count=count, most=self.max_pictures))
            with self.sessions.job(session_of(request)) as job:
                sources = job.take(MANY, uploads)
        except Exception as error:
            return None, gr.skip(), refusal(error, f"{count} {words('pictures')}", words), HIDDEN, HIDDEN
        table = views.table([source.name for source in sources], (), words)
        return sources, None, _done(0, count, words), gr.update(value=table, visible=True), HIDDEN

    def clean(
        self, sources: list[Path] | None, same_mark: bool, weights: str, strength: float, sensitivity: float,
        request: gr.Request, progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio finds it
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        words = words_for(request)
        if sources is None:  # they could not be taken, which is said already
            yield gr.skip(), gr.skip(), gr.skip()
            return
        names, outcomes, count = [source.name for source in sources], list[Outcome](), len(sources)
        try:
            with self.sessions.job(session_of(request)) as job:
                folder = job.results(MANY)
                settings = Settings(weights, strength, sensitivity)
                if same_mark:
                    yield views.said(words("measuring")), gr.skip(), HIDDEN
                    settings = settings._replace(known=self.cleaner.shared_mark(sources, lambda _: job.check()))

                def tell(tiles: int) -> None:
                    teller(progress, names[len(outcomes)], words, job)(tiles)

                for outcome in self.cleaner.clean_each(sources, folder, settings, tell):
                    outcomes.append(outcome)
                    job.check()  # no tile does where a known mark is undone
                    yield _done(len(outcomes), count, words), views.table(names, outcomes, words), HIDDEN
                done = sum(one.error is None for one in outcomes)
                packed = HIDDEN
                if done:
                    packed = gr.update(value=str(pack(outcomes, folder / "cleaned.zip")), visible=True)
        except Exception as error:
            yield refusal(error, names[min(len(outcomes), count - 1)], words), gr.skip(), HIDDEN
            return
        key = "cleaned_of" if done == count else "cleaned_failed"
        told = views.said(words(key, done=done, count=count, failed=count - done), error=not done)
        yield told, views.table(names, outcomes, words), packed


def _done(done: int, count: int, words: Words) -> str:
    return views.said(words("done_of", done=done, count=count))
