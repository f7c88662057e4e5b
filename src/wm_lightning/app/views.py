"""What the page shows, as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from wm_lightning.app.outcomes import Outcome
from wm_lightning.app.words import Words
from wm_lightning.app.work import Result


def said(sentence: str, error: bool = False) -> str:
    """Returns a sentence that screen readers read out."""
    kind = 'class="error" role="alert"' if error else 'role="status"'
    return f"<p {kind}>{html.escape(sentence)}</p>"


def compare(result: Result, name: str, words: Words) -> str:
    """Returns the pictures before and after, one over the other, with a slider for mouse, finger and keyboard."""
    return (
        '<div class="compare">'
        f"{_picture(result.before, words('before_alt', name=name))}"
        f"{_picture(result.after, words('after_alt', name=name))}"
        '<span class="line"></span>'
        f'<input type="range" min="0" max="100" value="50" aria-label="{html.escape(words("slider"))}" '
        "oninput=\"this.parentNode.style.setProperty('--at', this.value + '%')\"></div>"
    )


def found(result: Result, name: str, words: Words) -> str:
    """Returns the picture on which marks are red."""
    key = "marks_alt" if result.findings.marks else "nothing_alt"
    return _picture(result.marks, words(key, name=name))


def painter(result: Result, name: str, words: Words) -> str:
    """Returns the picture to paint on, with brushes; ``painter.js`` does the rest."""
    brushes = "".join(
        f'<label class="{kind}"><input type="radio" name="brush" value="{kind}"{" checked" if kind == "mark" else ""}>'
        f"{html.escape(words(kind))}</label>"
        for kind in ("mark", "leave", "erase")
    )
    buttons = "".join(
        f'<button type="button" data-do="{what}">{html.escape(words(what))}</button>' for what in ("undo", "clear")
    )
    return (
        f'<fieldset class="brushes"><legend>{html.escape(words("brushes"))}</legend>{brushes}'
        f'<label>{html.escape(words("width"))}<input type="range" name="width" min="1" max="25" value="5"></label>'
        f'{buttons}</fieldset><div class="sheet">{_picture(result.before, words("painting_alt", name=name))}'
        "<canvas></canvas></div>"
    )


def boxes(result: Result, words: Words) -> list[tuple[str, int]]:
    """Returns the marks to choose from: a label and a number from 0 each."""
    return [
        (f"{number + 1}: {right - left}x{bottom - top} ({mark.certainty:.0%} {words('sure')})", number)
        for number, mark in enumerate(result.findings.marks)
        for left, top, right, bottom in (mark.box,)
    ]


def summary(result: Result, name: str, words: Words) -> str:
    """Says what became of a picture."""
    width, height = result.findings.size
    parts = [f"{width} x {height}", words.findings(result.findings)]
    if result.unseen:
        parts.append(words("unseen"))
    if result.findings.doubt:
        parts.append(words("look", doubt=words.core(result.findings.doubt)))
    return words("told", name=name, told=words("joint").join((*parts, *result.notes)))


def table(names: Sequence[str], outcomes: Sequence[Outcome], words: Words) -> str:
    """Returns a line for each of many pictures: done, failed, in work or waiting."""
    rows = []
    for number, name in enumerate(names):
        kind = "waiting" if number > len(outcomes) else "in_work"
        told = words(kind)
        if number < len(outcomes):
            one = outcomes[number]
            kind = "error" if one.error else "done"
            result = words("joint").join((words.findings(one.findings), *one.notes))
            told = words.core(one.error) if one.error else result
        rows.append(f'<tr class="{kind}"><td>{html.escape(name)}</td><td>{html.escape(told)}</td></tr>')
    head = f'<tr><th scope="col">{words("file")}</th><th scope="col">{words("result")}</th></tr>'
    return f'<table aria-label="{words("table")}"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'


def _picture(place: Path, alt: str) -> str:
    # Relative, so that the page may lie below any address
    return f'<img src="gradio_api/file={quote(place.as_posix())}" alt="{html.escape(alt)}">'
