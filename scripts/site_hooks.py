"""What mkdocs.yml calls: pages that lie outside of docs/ become pages of the site, and links lead to them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSES.md": "licences.md",
    "SECURITY.md": "security.md",
    "comfyui/README.md": "comfyui.md",
    "tests/plugin/README.md": "plugin_example.md",
    "weights/README.md": "weights.md",
}
"""By their path in the repository."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCED = re.compile(r"(?ms)^```.*?^```")
_HEADING = re.compile(r"(?m)^#+ (.+)$")


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - MkDocs ships no types
    """Adds the pages outside of docs/."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(REPOSITORY / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401
    """Lets a page's links lead to where the site has what they name."""
    sources = {target: source for source, target in PAGES.items()}
    return relinked(markdown, sources.get(page.file.src_uri, f"docs/{page.file.src_uri}"))


def on_page_content(html: str, **_: object) -> str:
    """Shows the docstrings' references, ``:class:`~package.Name```, as names; a head that says nothing is none."""
    html = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)
    return re.sub(r":\w+:<code>~?([\w.]+)</code>", lambda found: f"<code>{found[1].rpartition('.')[2]}</code>", html)


def relinked(markdown: str, source: str) -> str:
    """Returns a page with the site's links; a link to a file that the site does not have becomes its text.

    Where a link is called by the file's name, it is called by the heading that it leads to: readers of the site see
    pages, not files.

    Args:
        markdown: Of the page.
        source: Its path in the repository, such as ``docs/data.md``.
    """

    def changed(found: re.Match[str]) -> str:
        mark, text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in path or not path or target.startswith("mailto:"):
            return found[0]
        named = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        page = PAGES.get(posixpath.join(named, "README.md")) or PAGES.get(named)
        if page is None and named.startswith("docs/"):
            page = named.removeprefix("docs/")
        if page is not None and text.endswith(".md"):
            text = heading_of(named, anchor)
        return text if page is None else f"{mark}[{text}]({page}{hash_}{anchor})"

    return _LINK.sub(changed, markdown)


def heading_of(source: str, anchor: str) -> str:
    """Returns the heading that a link to a page leads to.

    Args:
        source: The page's path in the repository.
        anchor: A heading's, as Markdown makes it; empty: the page's title.

    Raises:
        ValueError: The page has no such heading.
    """
    from markdown.extensions.toc import slugify

    headings = _HEADING.findall(_FENCED.sub("", (REPOSITORY / source).read_text(encoding="utf-8")))
    for heading in headings:
        if not anchor or slugify(heading, "-") == anchor:
            return str(heading)
    raise ValueError(f"{source} has no heading #{anchor}; it has: {'; '.join(headings)}")
