"""The page itself."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from wm_lightning.app.sessions import Sessions
from wm_lightning.app.work import Cleaner, Outcome, Painting, Result, pack
from wm_lightning.errors import UserError
from wm_lightning.files import FORMATS

NETWORK = "network"  # jobs of this kind wait for each other
WAITING = 20  # jobs at the most
DAY = 86_400  # seconds
ONLY_THERE, NOT_THERE = "Change only what I paint", "Leave alone what I paint"
PAINT = "#2f7bff"
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
CSS = """
.gradio-container {max-width: 1200px !important; margin: 0 auto !important}
#title p {margin: 0; opacity: .75}
.status p {margin: 0; padding: .6em .9em; border-radius: 8px; background: var(--background-fill-secondary)}
.status p.error {background: #fdecea; color: #8a1c10}
"""

Update = dict[str, Any]


def build(cleaner: Cleaner, sessions: Sessions, max_pictures: int) -> gr.Blocks:
    """Builds the page.

    Args:
        cleaner: Does the work.
        sessions: Keep the files.
        max_pictures: That are taken at once.
    """
    with gr.Blocks(title="Watermark remover", analytics_enabled=False, delete_cache=(DAY // 24, DAY)) as page:
        gr.Markdown(
            "# Watermark remover\n\nIt finds visible watermarks and takes them away; the rest of the picture stays as "
            "it is. Use it only on pictures that you have the right to change.",
            elem_id="title",
        )
        with gr.Tab("One picture"):
            _one_picture(cleaner, sessions)
        with gr.Tab("Many pictures"):
            _many_pictures(cleaner, sessions, max_pictures)
        page.unload(_end(sessions))
    page.queue(max_size=WAITING)
    return page


def _one_picture(cleaner: Cleaner, sessions: Sessions) -> None:
    source = gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            drop = gr.File(label="Drop a picture", file_types=list(FORMATS), height=150, elem_id="drop")
            strength, weights = _settings(cleaner, "one")
            status = gr.HTML(_said(_limits(cleaner)), elem_id="status", elem_classes="status")
            download = gr.DownloadButton("Download", variant="primary", visible=False, elem_id="download")
            mask = gr.DownloadButton("Download the mask", visible=False, elem_id="download-mask")
        with gr.Column(scale=2, min_width=320, visible=False, elem_id="results") as results:
            with gr.Tab("Before and after"):
                slider = gr.ImageSlider(
                    show_label=False, interactive=False, type="filepath", max_height=640, elem_id="slider"
                )
            with gr.Tab("What was found"):
                marks = gr.Image(
                    show_label=False, interactive=False, type="filepath", height=600, buttons=["fullscreen"],
                    elem_id="marks",
                )  # fmt: skip
            with gr.Tab("Choose where"):
                mode = gr.Radio([ONLY_THERE, NOT_THERE], value=ONLY_THERE, show_label=False, elem_id="mode")
                painting = gr.ImageEditor(
                    show_label=False, type="numpy", sources=(), transforms=(), layers=False, height=560,
                    brush=gr.Brush(colors=[PAINT], color_mode="fixed"), format="png", buttons=[], elem_id="painting",
                )  # fmt: skip
                apply = gr.Button("Clean again", variant="primary", elem_id="apply")
    shown = [status, results, slider, marks, download, mask]

    def take(upload: str, request: gr.Request) -> tuple[Any, ...]:
        (path,) = sessions.take(_session(request), [upload])
        # The place is free for the next picture, and nothing of the last one is left.
        return path, None, None, *_nothing(_said(f"{path.name} ..."))

    def clean(
        path: Path | None, name: str, share: float, painted: Any, where: str, request: gr.Request,  # noqa: ANN401
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio finds it
    ) -> tuple[Any, ...]:  # fmt: skip
        if path is None:
            return _nothing(_said("Drop a picture first.", error=True))
        try:
            folder = sessions.results(_session(request))
            progress(0, desc=path.name)
            result = cleaner.clean(path, folder, name, share, _painting(painted, where), _tell(progress, path.name))
        except UserError as error:
            return _nothing(_said(str(error), error=True))
        return _found(path.name, result)

    def clean_new(
        path: Path, name: str, share: float, where: str, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:  # fmt: skip
        shown_now = clean(path, name, share, None, where, request, progress)
        before = shown_now[2][0] if isinstance(shown_now[2], tuple) else None
        return *shown_now, before

    options = {"concurrency_id": NETWORK, "concurrency_limit": 1, "api_visibility": "private"}
    drop.upload(
        take, drop, [source, drop, painting, *shown], show_progress="hidden", api_visibility="private"
    ).then(
        clean_new, [source, weights, strength, mode], [*shown, painting], show_progress_on=[status], **options
    )  # fmt: skip
    inputs = [source, weights, strength, painting, mode]
    apply.click(clean, inputs, shown, show_progress_on=[status], **options)
    for changed in (strength.release, weights.input):
        changed(clean, inputs, shown, show_progress_on=[status], trigger_mode="always_last", **options)


def _many_pictures(cleaner: Cleaner, sessions: Sessions, max_pictures: int) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            drop = gr.File(
                label="Drop pictures", file_types=list(FORMATS), file_count="multiple", height=150, elem_id="drop-many"
            )
            strength, weights = _settings(cleaner, "many")
            start = gr.Button("Clean them", variant="primary", elem_id="start")
            said = gr.HTML(
                _said(f"At most {max_pictures} pictures at once. {_limits(cleaner)}"),
                elem_id="status-many", elem_classes="status",
            )  # fmt: skip
            download = gr.DownloadButton("Download all", variant="primary", visible=False, elem_id="download-all")
        with gr.Column(scale=2, min_width=320):
            table = gr.Dataframe(
                headers=["picture", "result"], datatype="str", interactive=False, wrap=True, visible=False,
                show_label=False, elem_id="table",
            )  # fmt: skip

    def clean(
        uploads: Sequence[str] | None, name: str, share: float, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        if not uploads or len(uploads) > max_pictures:
            reason = (
                f"{len(uploads)} pictures are too many; give at most {max_pictures}."
                if uploads
                else "Drop pictures first."
            )
            yield gr.skip(), _said(reason, error=True), gr.update(visible=False), gr.update(visible=False)
            return
        session = _session(request)
        sources, folder = sessions.take(session, uploads), sessions.results(session)
        outcomes: list[Outcome] = []
        for outcome in cleaner.clean_each(sources, folder, name, share, _tell(progress, f"{len(sources)} pictures")):
            outcomes.append(outcome)
            rows = [[one.name, _told(one)] for one in outcomes]
            words = f"{len(outcomes)} of {len(sources)} pictures done"
            yield None, _said(words), gr.update(value=rows, visible=True), gr.update(visible=False)
        failed = sum(one.error is not None for one in outcomes)
        words += f"; {failed} failed." if failed else "."
        if failed < len(outcomes):
            packed = pack(outcomes, folder / "cleaned.zip")
            yield None, _said(words), gr.skip(), gr.update(value=packed, visible=True)
        else:
            yield None, _said(words, error=True), gr.skip(), gr.skip()

    start.click(
        clean, [drop, weights, strength], [drop, said, table, download], show_progress_on=[said],
        concurrency_id=NETWORK, concurrency_limit=1, api_visibility="private",
    )  # fmt: skip


def _settings(cleaner: Cleaner, where: str) -> tuple[gr.Slider, gr.Dropdown]:
    names = list(cleaner.engines)
    strength = gr.Slider(
        0, 1, 1, step=0.05, label="Strength", info="How much of a mark is taken away", elem_id=f"strength-{where}"
    )
    weights = gr.Dropdown(names, value=names[0], label="Model", visible=len(names) > 1, elem_id=f"weights-{where}")
    return strength, weights


def _painting(painted: Any, where: str) -> Painting | None:  # noqa: ANN401 - what an editor gives
    if not painted or not painted["layers"]:
        return None
    opacity = np.maximum.reduce([layer[..., 3] for layer in painted["layers"]])
    return Painting(opacity, protects=where == NOT_THERE)


def _found(name: str, result: Result) -> tuple[Any, ...]:
    height, width = result.size
    words = "; ".join((f"{width} x {height}", _share(result.changed), *result.notes))
    return (
        _said(f"{name}: {words}."),
        gr.update(visible=True),
        (str(result.before), str(result.after)),
        str(result.marks),
        gr.update(value=str(result.file), label=f"Download {result.file.name}", visible=True),
        gr.update(value=str(result.mask), visible=True),
    )


def _nothing(said: str) -> tuple[Any, ...]:
    hidden = gr.update(visible=False)
    return said, hidden, None, None, hidden, hidden


def _told(outcome: Outcome) -> str:
    return outcome.error or "; ".join((_share(outcome.changed), *outcome.notes))


def _share(changed: float) -> str:
    return f"{changed:.1%} of its pixels changed" if changed else "no watermark found"


def _limits(cleaner: Cleaner) -> str:
    kinds = ", ".join(dict.fromkeys(FORMATS.values()))
    return f"{kinds}, up to {cleaner.max_megapixels:g} megapixels."


def _said(sentence: str, error: bool = False) -> str:
    kind = ' class="error" role="alert"' if error else ' role="status"'
    return f"<p{kind}>{html.escape(sentence)}</p>"


def _tell(progress: gr.Progress, what: str) -> Any:  # noqa: ANN401
    return lambda share: progress(share, desc=what)


def _session(request: gr.Request) -> str:
    return str(request.session_hash)


def _end(sessions: Sessions) -> Any:  # noqa: ANN401
    def end(request: gr.Request) -> None:
        sessions.end(_session(request))

    return end
