"""The documentation as a site: it builds without a warning, links lead somewhere, first commands can be typed."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from wm_lightning.files import CONF
from wm_lightning.inference.command import _check
from wm_lightning.runner.launched import add_resolvers

REPOSITORY = Path(__file__).parents[1]
PAGES = ("README.md", "docs/start_clean.md", "docs/start_train.md", "docs/start_mark.md")
HOW_TO = tuple(
    f"docs/{name}.md"
    for name in ("predict", "mark", "app", "training", "data", "synthesis", "evaluation", "sweeps", "cluster", "models")
)
PARSERS = {
    "predict": "wm_lightning.inference.command", "export": "wm_lightning.inference.export_command",
    "mark": "wm_lightning.mark.command", "hub": "wm_lightning.hub.command", "app": "wm_lightning.app.command",
    "data": "wm_lightning.data.command",
}  # fmt: skip
CONFIGURED = ("train", "evaluate", "preview", "sweep")


def commands(page):
    """Commands in a page's code blocks, in words, joined where a backslash ends a line, without comments."""
    text = (REPOSITORY / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for block in re.findall(r"(?ms)^```bash\n(.*?)^```", text):
        for line in block.splitlines():
            if line.startswith(("python ", "wm-")):
                yield shlex.split(line, comments=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    pytest.importorskip("mkdocs", reason="MkDocs is not installed: the extra docs")
    done = subprocess.run(build, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_and_every_class_is_there(site):
    for name in (path.stem for path in (REPOSITORY / "docs").glob("*.md")):
        assert (site / f"{name}.html").is_file()
    api = (site / "api.html").read_text(encoding="utf-8")
    assert 'id="wm_lightning.inference.remover.Remover.remove"' in api
    assert not re.search(r":(class|func|meth|mod):", api)


def test_links_of_the_site_lead_to_its_own_pages(site):
    index = (site / "index.html").read_text(encoding="utf-8")
    for page in ("predict", "weights", "comfyui", "licences", "configuration"):
        assert f'href="{page}.html"' in index
    assert (site / "general_examples.jpg").is_file()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(site, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = opened.new_page(color_scheme=scheme)
        for name in ("sweeps", "plugins"):  # commands and tables; Python, and links that are code
            page.goto((site / f"{name}.html").as_uri())
            page.wait_for_function("document.querySelector('.md-search').ariaLabel")  # site.js has done its part
            found = axe.run(page).response
            assert len(found["passes"]) > 30
            assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        opened.close()


def test_links_are_called_by_headings_not_files(site):
    for page in site.glob("*.html"):
        assert re.findall(r"<a [^>]*>[\w/]+\.md</a>", page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES)
def test_links_of_the_repository_lead_to_files(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^()#\s]+)[^()\s]*\)", text) if "://" not in target]
    assert targets
    for target in targets:
        assert ((REPOSITORY / page).parent / target).exists(), target


def own_commands(page):
    """The page's commands of this project: their names and arguments."""
    for words in commands(page):
        if words[:1] == ["python"] and words[1].removesuffix(".py") in {*PARSERS, *CONFIGURED}:
            yield words[1].removesuffix(".py"), words[2:]
        elif words[0].startswith("wm-"):
            yield words[0].removeprefix("wm-"), words[1:]


def overrides(arguments):
    """What a command would be configured with: of a multirun its first job, without what is not there."""
    multirun = "-m" in arguments
    for argument in arguments:
        key, _, value = argument.partition("=")
        if argument in ("-m", "...") or key in ("hydra/launcher", "--config-dir") or key.startswith("hydra.launcher."):
            continue
        yield f"{key}={value.split(',')[0]}" if multirun and not value.startswith("[") else argument


@pytest.mark.parametrize("page", [*PAGES, *HOW_TO])
def test_commands_can_be_typed(page):
    add_resolvers()
    lines = list(own_commands(page))
    assert lines
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for name, arguments in lines:
            if name in PARSERS:
                parser = importlib.import_module(PARSERS[name])._parser()
                options = parser.parse_args(arguments)
                if name == "predict":
                    _check(parser, options)
            elif not any(argument.startswith("--config-dir") for argument in arguments):
                assert compose(name, overrides=list(overrides(arguments)))
