"""The page itself."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from wm_lightning.app.painting import OPACITY, PAINT, from_layers
from wm_lightning.app.sessions import Sessions
from wm_lightning.app.work import Cleaner, Outcome, Result, pack
from wm_lightning.errors import UserError
from wm_lightning.files import FORMATS
from wm_lightning.inference.search import NORMAL

WAITING = 20  # jobs at the most
HOUR = 3600  # seconds
ONE, MANY = "one", "many"  # tabs
ONLY_THERE, NOT_THERE = "Change only what I paint", "Leave alone what I paint"
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
CSS = """
.gradio-container main {width: 100%; max-width: 1200px !important; margin: 0 auto}
#title p {margin: 0; opacity: .75}
.status, .status > div {padding: 0 !important}
.status p {margin: 0; padding: .6em .9em; border-radius: 8px; background: var(--background-fill-secondary)}
.status p.error {background: #fdecea; color: #8a1c10}
.status p {overflow-wrap: anywhere}
#marks img {max-height: 640px; object-fit: contain}
#table table {width: 100%; border-collapse: collapse}
#table :is(table, tbody, tr, td) {border: 0}
#table td {padding: .4em .6em; border-bottom: 1px solid var(--border-color-primary)}
#table td {overflow-wrap: anywhere}
#table td.error {color: #c0392b}
"""

# Jobs that run the network wait for each other: two at once would each take twice the time and the memory.
HEAVY: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": 1, "api_visibility": "private"}
LIGHT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build(cleaner: Cleaner, sessions: Sessions, max_pictures: int) -> gr.Blocks:
    """Builds the page.

    Args:
        cleaner: Does the work.
        sessions: Keep the files.
        max_pictures: That are taken at once.
    """
    page = gr.Blocks(title="Watermark remover", analytics_enabled=False, delete_cache=(HOUR, 24 * HOUR))
    with page:
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
            status = _status(_limits(cleaner), "status")
            download = gr.DownloadButton("Download", variant="primary", visible=False, elem_id="download")
            mask = gr.DownloadButton("Download the mask", visible=False, elem_id="download-mask")
            strength, sensitivity, weights = _settings(cleaner, ONE)
        with gr.Column(scale=2, min_width=320, visible=False, elem_id="results") as results:
            with gr.Tab("Before and after"):
                slider = gr.ImageSlider(
                    show_label=False, interactive=False, type="filepath", buttons=["fullscreen"], max_height=640,
                    elem_id="slider",
                )  # fmt: skip
            with gr.Tab("Found"):
                marks = gr.Image(
                    show_label=False, interactive=False, type="filepath", buttons=["fullscreen"], elem_id="marks"
                )
            with gr.Tab("Paint"):
                mode = gr.Radio(
                    [ONLY_THERE, NOT_THERE], value=ONLY_THERE, elem_id="mode",
                    label="Paint on the picture, then press Clean again. What was found is outlined in red.",
                )  # fmt: skip
                editor = gr.ImageEditor(
                    show_label=False, type="numpy", sources=(), transforms=(), layers=False, height=560, buttons=[],
                    brush=gr.Brush(colors=[(f"rgb{PAINT}", OPACITY)], color_mode="fixed"), format="png",
                    elem_id="editor",
                )  # fmt: skip
                apply = gr.Button("Clean again", variant="primary", elem_id="apply")
    shown = [status, results, slider, marks, download, mask]

    def take(upload: str, request: gr.Request) -> tuple[Any, ...]:
        (path,) = sessions.take(_session(request), ONE, [upload])
        # The place is free for the next picture, and nothing of the last one is left.
        return path, None, None, *_nothing(f"{path.name} ...")

    def clean(
        path: Path | None, name: str, share: float, needs: float, painted: dict[str, Any] | None, where: str,
        request: gr.Request, progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio finds it
    ) -> tuple[Any, ...]:  # fmt: skip
        return cleaned(path, name, (share, needs), painted, where, request, progress)[:-1]

    def clean_new(
        path: Path | None, name: str, share: float, needs: float, where: str, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:  # fmt: skip
        return cleaned(path, name, (share, needs), None, where, request, progress)

    def cleaned(
        path: Path | None, name: str, settings: tuple[float, float], painted: dict[str, Any] | None, where: str,
        request: gr.Request, progress: gr.Progress,
    ) -> tuple[Any, ...]:  # fmt: skip
        if path is None:
            return (*_nothing("Drop a picture first.", error=True), None)
        painting = from_layers(painted["layers"], protects=where == NOT_THERE) if painted else None
        try:
            folder = sessions.results(_session(request), ONE)
            result = cleaner.clean(path, folder, name, *settings, painting, _tell(progress, path.name))
        except UserError as error:
            return (*_nothing(str(error), error=True), None)
        return (*_found(path, result), {"background": str(result.canvas), "layers": [], "composite": None})

    drop.upload(take, drop, [source, drop, editor, *shown], **LIGHT).then(
        clean_new, [source, weights, strength, sensitivity, mode], [*shown, editor], show_progress_on=[status], **HEAVY
    )
    inputs = [source, weights, strength, sensitivity, editor, mode]
    apply.click(clean, inputs, shown, show_progress_on=[status], **HEAVY)
    for changed in (strength.release, sensitivity.release, weights.change):
        changed(clean, inputs, shown, show_progress_on=[status], trigger_mode="always_last", **HEAVY)


def _many_pictures(cleaner: Cleaner, sessions: Sessions, max_pictures: int) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            drop = gr.File(
                label="Drop pictures", file_types=list(FORMATS), file_count="multiple", height=150, elem_id="drop-many"
            )
            strength, sensitivity, weights = _settings(cleaner, MANY)
            start = gr.Button("Clean them", variant="primary", elem_id="start")
            status = _status(f"At most {max_pictures} pictures at once. {_limits(cleaner)}", "status-many")
            download = gr.DownloadButton("Download all", variant="primary", visible=False, elem_id="download-all")
        with gr.Column(scale=2, min_width=320):
            table = gr.HTML(visible=False, elem_id="table")
    hidden = gr.update(visible=False)

    def clean(
        uploads: Sequence[str] | None, name: str, share: float, needs: float, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        count = len(uploads or ())
        if not uploads or count > max_pictures:
            reason = f"{count} pictures are too many; give at most {max_pictures}." if count else "Drop pictures first."
            yield gr.skip(), _said(reason, error=True), hidden, hidden
            return
        session = _session(request)
        sources, folder = sessions.take(session, MANY, uploads), sessions.results(session, MANY)
        outcomes: list[Outcome] = []
        for outcome in cleaner.clean_each(sources, folder, name, share, needs):
            outcomes.append(outcome)
            progress((len(outcomes), count), unit="pictures")
            yield None, _said(f"{len(outcomes)} of {count} pictures done."), _table(outcomes), hidden
        failed = sum(one.error is not None for one in outcomes)
        words = f"{count - failed} of {count} pictures cleaned" + (f"; {failed} failed." if failed else ".")
        packed = (
            gr.update(value=str(pack(outcomes, folder / "cleaned.zip")), visible=True) if failed < count else hidden
        )
        yield None, _said(words, error=failed == count), _table(outcomes), packed

    start.click(
        clean, [drop, weights, strength, sensitivity], [drop, status, table, download],
        show_progress_on=[status], **HEAVY,
    )  # fmt: skip


def _settings(cleaner: Cleaner, where: str) -> tuple[gr.Slider, gr.Slider, gr.Dropdown]:
    names = list(cleaner.engines)
    strength = gr.Slider(
        0, 1, 1, step=0.05, label="Strength", info="How much of a mark is taken away", elem_id=f"strength-{where}"
    )
    sensitivity = gr.Slider(
        0, 1, NORMAL, step=0.05, label="Sensitivity", info="How little evidence a mark needs",
        elem_id=f"sensitivity-{where}",
    )  # fmt: skip
    weights = gr.Dropdown(names, value=names[0], label="Model", visible=len(names) > 1, elem_id=f"weights-{where}")
    return strength, sensitivity, weights


def _status(sentence: str, name: str) -> gr.HTML:
    return gr.HTML(_said(sentence), elem_id=name, elem_classes="status", padding=False)


def _found(source: Path, result: Result) -> tuple[Any, ...]:
    width, height = result.findings.size
    doubt = (f"look at it: {result.findings.doubt}",) if result.findings.doubt else ()
    words = "; ".join((f"{width} x {height}", result.findings.told(), *doubt, *result.notes))
    return (
        _said(f"{source.name}: {words}."),
        gr.update(visible=True),
        (str(result.before), str(result.after)),
        str(result.marks),
        gr.update(value=str(result.file), label=f"Download {result.file.name}", visible=True),
        gr.update(value=str(result.mask), visible=True),
    )


def _nothing(sentence: str, error: bool = False) -> tuple[Any, ...]:
    hidden = gr.update(visible=False)
    return _said(sentence, error), hidden, None, None, hidden, hidden


def _table(outcomes: Sequence[Outcome]) -> Any:  # noqa: ANN401
    rows = []
    for one in outcomes:
        told = one.error or "; ".join((one.findings.told(), *one.notes))
        kind = ' class="error"' if one.error else ""
        rows.append(f"<tr><td>{html.escape(one.name)}</td><td{kind}>{html.escape(told)}</td></tr>")
    return gr.update(value=f"<table>{''.join(rows)}</table>", visible=True)


def _limits(cleaner: Cleaner) -> str:
    return f"{', '.join(dict.fromkeys(FORMATS.values()))}; up to {cleaner.max_megapixels:g} megapixels."


def _said(sentence: str, error: bool = False) -> str:
    kind = 'class="error" role="alert"' if error else 'role="status"'
    return f"<p {kind}>{html.escape(sentence)}</p>"


def _tell(progress: gr.Progress, what: str) -> Callable[[int], None]:
    def tell(tiles: int) -> None:
        progress((tiles, None), desc=what, unit="tiles")

    return tell


def _session(request: gr.Request) -> str:
    return str(request.session_hash)


def _end(sessions: Sessions) -> Callable[[gr.Request], None]:
    def end(request: gr.Request) -> None:
        sessions.end(_session(request))

    return end
