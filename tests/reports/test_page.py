import base64
import html
import io
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wm_lightning.metrics.statistics import Interval
from wm_lightning.reports.gallery import FigureEntry
from wm_lightning.reports.groups import Group
from wm_lightning.reports.page import Example, Report, Row, write_page
from wm_lightning.reports.table import shown_columns

NAN = math.nan
NOWHERE = Interval(NAN, NAN, NAN, 0)
NASTY = '<b>&"x"</b>'
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def even(colour, height=60, width=90):
    return np.full((height, width, 3), colour, dtype=np.uint8)


def figure_entry(name, caption="What is seen."):
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([0, 1], [1, 0])
    return FigureEntry(name, caption, lambda: figure)


def make_report(**changes):
    columns = shown_columns(dict.fromkeys(("psnr", "ssim", "psnr_out", "psnr_ref", "rmse_w", "iou"), 1.0))
    model = {
        "psnr": Interval(31.234, 30.111, 32.999, 5), "ssim": Interval(0.91236, 0.9, 0.92, 5),
        "psnr_out": Interval(40.0, 39.0, 41.0, 5), "psnr_ref": NOWHERE, "rmse_w": Interval(19.25, 18.0, 21.0, 4),
        "iou": Interval(0.7, 0.6, 0.8, 5),
    }  # fmt: skip
    nothing = {key: model[key] for key in ("psnr", "ssim", "psnr_ref", "rmse_w")}
    one = Interval(25.0, 24.0, 26.0, 3)
    groups = [
        Group("text", one, Interval(22.0, 21.0, 23.0, 3), Interval(3.0, 2.5, -0.5, 3), one, one),
        Group("logo", one, one, Interval(0.004, -1.0, 1.0, 3), NOWHERE, NOWHERE),
    ]
    examples = [Example("best: a.png", "20.00 to 25.00 dB", even(RED), even(GREEN), even(BLUE))]
    made = Report(
        "Measured", {"checkpoint": "run/best.ckpt"}, "It is better.", columns,
        [Row("model", model), Row("identity", nothing)], examples, {"kind of mark": groups},
        {"Errors": [figure_entry("first"), figure_entry("second")], "Training": [figure_entry("third")]},
    )  # fmt: skip
    return made._replace(**changes)


class Page(HTMLParser):
    """Tags with their attributes, and the words of each table by row and cell."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.words, self._cell = [], [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True
        if tag in ("span", "br") and self._cell:
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data):
        self.words += data
        if self._cell:
            self.rows[-1][-1] += data

    def table(self):
        """Rows by their first cell, white space in one."""
        return {row[0]: [" ".join(cell.split()) for cell in row[1:]] for row in self.rows}

    def all(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.tags if name == tag and attribute in attributes]


def written(tmp_path, **changes):
    path = write_page(make_report(**changes), tmp_path / "report")
    assert path == tmp_path / "report" / "index.html"
    return path.read_text(encoding="utf-8")


def decoded(url):
    return Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))


def test_the_page_needs_no_network_and_no_other_file(tmp_path):
    text = written(tmp_path)
    page = Page(text)
    assert page.all("img", "src")
    assert all(url.startswith("data:image/") for url in page.all("img", "src"))
    assert all(link.startswith("#") for link in page.all("a", "href"))
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    assert page.all("script", "src") == []
    without_pictures = re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", text)
    assert "http" not in without_pictures
    assert "url(" not in without_pictures
    assert "@import" not in without_pictures


def test_links_lead_to_headings_and_no_id_is_given_twice(tmp_path):
    page = Page(written(tmp_path))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in page.all("a", "href")} <= set(ids)
    assert len(page.all("a", "href")) == 3 + 2


def test_every_figure_is_embedded_and_saved(tmp_path):
    text = written(tmp_path)
    saved = sorted(path.name for path in (tmp_path / "report" / "figures").iterdir())
    assert saved == ["first.png", "second.png", "third.png"]
    embedded = [url for url in Page(text).all("img", "src") if url.startswith("data:image/png")]
    for name, url in zip(saved, embedded, strict=True):
        file = tmp_path / "report" / "figures" / name
        assert base64.b64decode(url.split(",", 1)[1]) == file.read_bytes()
        assert decoded(url).size == (300, 200)  # 3 x 2 inches


def test_examples_are_embedded_to_the_pixel(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 37, 31, 3), dtype=np.uint8)
    text = written(tmp_path, examples=[Example("best: a", "words", *pictures)])
    found = [url for url in Page(text).all("img", "src") if url.startswith("data:image/webp")]
    for url, picture in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(np.asarray(decoded(url)), picture)


def test_large_examples_keep_their_size_and_lose_little(tmp_path):
    ramp = np.linspace(0, 255, 600).astype(np.uint8)[None, :, None]
    picture = np.broadcast_to(ramp, (40, 600, 3)).copy()
    noise = np.random.default_rng(0).integers(-6, 7, picture.shape)
    picture = (picture.astype(int) + noise).clip(0, 255).astype(np.uint8)
    text = written(tmp_path, examples=[Example("best: a", "words", picture, picture, picture)])
    url = next(url for url in Page(text).all("img", "src") if url.startswith("data:image/webp"))
    found = np.asarray(decoded(url)).astype(int)
    assert found.shape == picture.shape
    assert 0 < np.abs(found - picture).mean() < 5


def test_names_are_shown_as_they_are_and_never_as_markup(tmp_path):
    first = make_report()
    text = written(
        tmp_path,
        title=NASTY, facts={NASTY: NASTY}, verdict=NASTY,
        rows=[Row(NASTY, first.rows[0].values)],
        examples=[first.examples[0]._replace(title=NASTY, caption=NASTY)],
        groups={NASTY: [first.groups["kind of mark"][0]._replace(label=NASTY)]},
        sections={NASTY: [figure_entry("one", NASTY)]},
    )  # fmt: skip
    page = Page(text)
    assert "b" not in {tag for tag, _ in page.tags}
    # Title twice, name and value of a fact, verdict, row, example's title and words, group's title and label, link,
    # heading and words of the figure.
    assert page.words.count(NASTY) == 13
    assert NASTY in page.all("img", "alt")


def test_cells_of_the_headline_table(tmp_path):
    table = Page(written(tmp_path)).table()
    assert table[""] == ["PSNR ↑", "SSIM ↑", "PSNR outside ↑", "PSNR to ref. ↑", "RMSEw ↓", "IoU ↑"]
    assert table["model"] == [
        "31.23 30.11 33.00", "0.9124 0.9000 0.9200", "40.00 39.00 41.00", "n/a", "19.25 18.00 21.00 n=4",
        "0.700 0.600 0.800",
    ]  # fmt: skip
    assert table["identity"] == [
        "31.23 30.11 33.00", "0.9124 0.9000 0.9200", "exact", "n/a", "19.25 18.00 21.00 n=4", "n/a",
    ]  # fmt: skip


def test_the_table_names_its_units_and_intervals(tmp_path):
    words = " ".join(Page(written(tmp_path)).words.split())
    assert "95 % bootstrap confidence interval" in words
    assert "PSNR in dB, RMSE in grey levels of 256, the rest in 0..1" in words


def test_cells_of_the_groups(tmp_path):
    table = Page(written(tmp_path)).table()
    assert table["kind of mark"][:4] == ["pictures", "PSNR, dB", "identity", "gain, dB"]
    assert table["text"] == ["3", "25.00", "22.00", "+3.00 (+2.50 to -0.50)", "25.00", "25.00"]
    assert table["logo"] == ["3", "25.00", "25.00", "+0.00 (-1.00 to +1.00)", "n/a", "n/a"]


def test_nothing_that_is_not_defined_is_written_as_a_number(tmp_path):
    group = Group("text", NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE)
    text = written(tmp_path, groups={"kind of mark": [group]})
    page = Page(text)
    assert page.table()["text"] == ["0", *["n/a"] * 5]
    assert not re.search(r"\bnan\b", page.words)


def test_no_groups_and_no_figures_are_said_and_left_out(tmp_path):
    page = Page(written(tmp_path, groups={}, sections={}, examples=[]))
    assert "it is not known what their marks are like" in page.words
    assert page.all("img", "src") == []
    assert list((tmp_path / "report" / "figures").iterdir()) == []


def test_a_second_report_takes_the_place_of_the_first(tmp_path):
    written(tmp_path, title="first one")
    text = written(tmp_path, title="second one")
    assert "second one" in text
    assert "first one" not in text


FIRST = """<script>
window.troubles = [];
window.onerror = (message) => { window.troubles.push(String(message)); };
</script>"""
LAST = """<script>
window.addEventListener("load", () => {
  const images = [...document.images], compare = document.querySelector(".compare");
  const after = compare.querySelector(".after"), edge = compare.querySelector(".edge");
  const [slider, box] = document.querySelector(".example").querySelectorAll("input");
  const tag = () => compare.querySelector(".right").textContent;
  const found = {
    images: images.length,
    loaded: images.filter((image) => image.complete && image.naturalWidth > 0).length,
    before: {shown: getComputedStyle(compare.querySelector(".clean")).display, tag: tag()},
  };
  const restored = after.src;
  slider.value = 20;
  slider.dispatchEvent(new Event("input"));
  found.x = compare.style.getPropertyValue("--x");
  found.clip = getComputedStyle(after).clipPath;
  found.edge = edge.offsetLeft / compare.offsetWidth;
  const others = document.querySelectorAll(".compare");
  found.other = others[1].style.getPropertyValue("--x");
  box.click();
  found.checked = {clean: after.src === compare.querySelector(".clean").src, tag: tag(), other: others[1].querySelector(".right").textContent};
  box.click();
  found.unchecked = {restored: after.src === restored, tag: tag()};
  found.same_box = JSON.stringify(compare.querySelector(".before").getBoundingClientRect()) === JSON.stringify(after.getBoundingClientRect());
  found.width = [document.documentElement.scrollWidth, window.innerWidth];
  found.troubles = window.troubles;
  document.title = JSON.stringify(found);
});
</script>"""  # noqa: E501 - JavaScript

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def browse(page, profile, *options):
    """Loads a page in a browser without a window; returns what it prints."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
               "--hide-scrollbars", "--force-color-profile=srgb", f"--user-data-dir={profile}"]  # fmt: skip
    done = subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def browsed_page(tmp_path_factory):
    first = make_report()
    long_name = "outputs/train/2026-01-01/12-00-00/checkpoints/" + "x" * 120 + ".ckpt"
    example = first.examples[0]
    report = first._replace(
        facts={"checkpoint": long_name},
        rows=[Row(long_name, first.rows[0].values), *first.rows],
        examples=[example, example._replace(title=long_name)],
    )
    return write_page(report, tmp_path_factory.mktemp("browsed"))


@needs_browser
@pytest.mark.parametrize("width", [1200, 500])
def test_the_page_works_in_a_browser(browsed_page, tmp_path, width):
    text = browsed_page.read_text(encoding="utf-8")
    assert text.count("<head>") == text.count("</body>") == 1
    probed = tmp_path / "probed.html"
    text = text.replace("<head>", f"<head>{FIRST}").replace("</body>", f"{LAST}</body>")
    probed.write_text(text, encoding="utf-8")
    dom = browse(probed, tmp_path / "profile", "--dump-dom", f"--window-size={width},900")
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL).group(1)))
    assert found["troubles"] == []
    assert found["images"] == found["loaded"] == 2 * 3 + 3
    assert found["before"] == {"shown": "none", "tag": "restored"}
    assert found["x"] == "20%"
    assert found["clip"] == "inset(0px 0px 0px 20%)"
    assert found["edge"] == pytest.approx(0.2, abs=0.01)
    assert found["other"] == ""  # a slider moves its own picture only
    assert found["checked"] == {"clean": True, "tag": "clean", "other": "restored"}
    assert found["unchecked"] == {"restored": True, "tag": "restored"}
    assert found["same_box"]  # one picture lies on the other
    scrolled, shown = found["width"]
    assert scrolled <= shown == width


@needs_browser
def test_the_page_is_seen_with_one_half_of_each_picture(browsed_page, tmp_path):
    shot = tmp_path / "page.png"
    browse(browsed_page, tmp_path / "profile", f"--screenshot={shot}", "--window-size=1200,1600")
    picture = Image.open(shot).convert("RGB")
    assert picture.size == (1200, 1600)
    colours = {colour: count for count, colour in picture.getcolors(maxcolors=1200 * 1600)}
    assert len(colours) > 50  # letters have soft edges
    red, green = colours[RED], colours[GREEN]
    assert red > 10_000
    assert red == pytest.approx(green, rel=0.2)  # the tags are of different length
    assert BLUE not in colours  # shown only when asked for
