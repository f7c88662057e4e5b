"""The page itself: what is on it. What its buttons do is in :mod:`single` and :mod:`many`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gradio as gr

from wm_lightning.app.interface import offer
from wm_lightning.app.many import many_pictures
from wm_lightning.app.parts import DAY, HOUR, WAITING, session_of
from wm_lightning.app.sessions import Sessions
from wm_lightning.app.single import one_picture
from wm_lightning.app.words import LANGUAGES, TEXTS
from wm_lightning.app.work import Cleaner

# Darker than Gradio's own where small text would be hard to read
THEME = gr.themes.Default(
    primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
).set(
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_hover_dark="*primary_800",
    color_accent="*primary_700",
)
CSS = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def build(cleaner: Cleaner, sessions: Sessions, max_pictures: int) -> gr.Blocks:
    """Builds the page.

    Args:
        cleaner: Does the work.
        sessions: Keep the files.
        max_pictures: That are taken at once.
    """
    texts = translations()
    page = gr.Blocks(title=TEXTS["title"][0], analytics_enabled=False, delete_cache=(HOUR, DAY))
    with page:
        offer(cleaner, sessions)  # first, so that its name is its own
        gr.Markdown(texts("title"), elem_id="name")
        gr.Markdown(texts("about"), elem_id="title")
        with gr.Tab(texts("one")):
            one_picture(page, cleaner, sessions, texts)
        with gr.Tab(texts("many")):
            many_pictures(page, cleaner, sessions, max_pictures, texts)
        page.unload(_end(sessions))
    page.queue(max_size=WAITING)
    return page


def translations() -> gr.I18n:
    """Returns the page's texts, of which the browser takes those of its language."""
    english, chinese = (
        {key: said[number] for key, said in TEXTS.items()} | {"title": f"# {TEXTS['title'][number]}"}
        for number in range(len(LANGUAGES))
    )
    return gr.I18n(**{"en": english, "zh": chinese, "zh-CN": chinese, "zh-TW": chinese})


def _end(sessions: Sessions) -> Callable[[gr.Request], None]:
    def end(request: gr.Request) -> None:
        sessions.end(session_of(request))

    return end
