"""The page in a real browser, started as typed."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="Gradio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 60_000  # milliseconds
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the server puts temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def address(folder):
    command = [sys.executable, "app.py", "--port", "0", "--device", "cpu", "--max-megapixels", "1"]
    environment = {**os.environ, "TMPDIR": str(folder), "COLUMNS": "200"}
    server = subprocess.Popen(
        [*command, "--max-pictures", "3"], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    )
    said = server.stdout.readline()
    assert said.startswith("The page is at http://127.0.0.1:"), said
    yield said.split()[4].rstrip("/;")
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=60) == 0
    assert list(folder.glob("wm-app-*")) == []  # nothing is left


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        # The editor paints with WebGL, here without a GPU.
        opened = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a window of its own; in the end no request of its went elsewhere and no script failed."""
    asked, troubles, contexts = [], [], []

    def call(viewport=WIDE):
        context = browser.new_context(viewport=viewport)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#drop input[type=file]", state="attached")
        return page

    yield call
    for context in contexts:
        context.close()
    assert len(asked) > 10
    elsewhere = [url for url in asked if not url.startswith((f"{address}/", "data:", f"blob:{address}/"))]
    assert elsewhere == []
    assert troubles == []


@pytest.fixture
def photo(marked, tmp_path):
    path = tmp_path / "my photo (1).jpg"
    Image.fromarray(marked).save(path, quality=92)
    return path


def upload(page, path):
    page.set_input_files("#drop input[type=file]", path)
    page.wait_for_selector(f"#status p:has-text('{path.name}: ')")
    page.wait_for_selector("#download", state="visible")


def downloaded(page, button="#download"):
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def loaded(page, selector):
    """Whether all pictures of a part of the page are there, and how wide they are."""
    page.wait_for_function(
        "s => {const all = [...document.querySelectorAll(s)]; return all.length && all.every(i => i.naturalWidth)}",
        arg=selector,
    )
    return page.eval_on_selector_all(selector, "all => all.map(i => i.naturalWidth)")


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def clean_again(page, action):
    """Does something; waits for the next result."""
    shown = "document.querySelector('#slider img').src"
    before = page.evaluate(shown)
    action()
    page.wait_for_function(f"old => {shown} !== old", arg=before)
    page.wait_for_selector("#status p >> text=/its pixels changed|surely a watermark/")


def paint_until(page, paint, done):
    """Paints and cleans until the picture is as it should be: on a machine that stalls the editor misses strokes."""
    for _ in range(5):
        paint()
        page.click("#apply")
        page.wait_for_timeout(3000)
        page.wait_for_selector("#status p >> text=/its pixels changed|surely a watermark/")
        if done(downloaded(page)[1]):
            return
    raise AssertionError("five times painted, and the picture is not as it should be")


def test_a_picture_comes_out_as_the_command_writes_it(open_page, photo, predicted):
    page = open_page()
    upload(page, photo)
    content, mask = predicted(photo)
    assert downloaded(page) == (photo.name, content)
    assert downloaded(page, "#download-mask") == (f"{photo.stem}.mask.png", mask)
    said = page.inner_text("#status").removeprefix(f"{photo.name}: ")
    assert re.fullmatch(r"320 x 220; 1 mark, \d+\.\d% of its pixels changed: \d+x\d+ at \d+,\d+ \(\d+% sure\).*", said)


def test_before_and_after_lie_on_each_other_with_a_slider(open_page, photo):
    page = open_page()
    upload(page, photo)
    assert loaded(page, "#slider img") == [320, 320]
    boxes = [image.bounding_box() for image in page.locator("#slider img").all()]
    assert boxes[0]["width"] > 300
    knob = page.locator("#slider [data-testid=slider]").bounding_box()
    assert boxes[0]["x"] < knob["x"] + knob["width"] / 2 < boxes[0]["x"] + boxes[0]["width"]
    middle = page.locator("#slider").screenshot()
    page.mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2)
    page.mouse.down()
    page.mouse.move(boxes[0]["x"] + 20, knob["y"] + 10, steps=5)
    page.mouse.up()
    assert page.locator("#slider [data-testid=slider]").bounding_box()["x"] < knob["x"] - 50
    assert page.locator("#slider").screenshot() != middle


def test_what_was_found_is_red(open_page, photo):
    page = open_page()
    upload(page, photo)
    open_tab(page, "Found")
    assert loaded(page, "#marks img") == [320]
    shown = pixels(page.locator("#marks img").screenshot()).astype(int)
    red = (shown[..., 0] - shown[..., 1]) > 60
    rows = red.mean(axis=1)
    at = slice(*(round(row / 220 * len(rows)) for row in (98, 125)))
    assert rows[at].mean() > 0.2
    assert rows[at].sum() > 0.7 * rows.sum()


def brush(page):
    """Returns what paints a stroke; places are shares of the picture."""
    open_tab(page, "Paint")
    page.wait_for_selector("#editor canvas")
    page.wait_for_timeout(2000)  # the picture takes its place on the canvas
    box = page.locator("#editor canvas").first.bounding_box()
    x, y, width, height = (round(box[key]) for key in ("x", "y", "width", "height"))
    # Around the picture all is white, but for the tools in the corners.
    shown = pixels(page.screenshot())[y : y + height, x : x + width, :3].max(axis=-1) < 250
    columns, rows = (x + np.nonzero(shown.mean(axis=0) > 0.3)[0], y + np.nonzero(shown.mean(axis=1) > 0.3)[0])

    def stroke(left, right, row):
        y = rows[0] + row * (rows[-1] - rows[0])
        page.mouse.move(columns[0] + left * (columns[-1] - columns[0]), y)
        page.mouse.down()
        page.mouse.move(columns[0] + right * (columns[-1] - columns[0]), y, steps=4)
        page.mouse.up()
        page.wait_for_timeout(500)  # the editor takes note of it; nothing on the page says when

    return stroke


@pytest.mark.parametrize("choice", ["Change only what I paint", "Leave alone what I paint"])
def test_only_what_is_painted_changes_or_stays(open_page, marked, predicted, tmp_path, choice):
    photo = tmp_path / "photo.png"
    Image.fromarray(marked).save(photo)
    page = open_page()
    upload(page, photo)
    stroke = brush(page)
    page.get_by_label(choice).check()
    before = downloaded(page)[1]
    paint_until(page, lambda: stroke(0.05, 0.4, 0.5), lambda now: now != before)
    cleaned, everywhere = pixels(downloaded(page)[1]), pixels(predicted(photo)[0])
    painted, rest = (slice(98, 126), slice(48, 110)), (slice(0, 220), slice(170, 320))
    inside, outside = (painted, rest) if choice.startswith("Change") else (rest, painted)
    assert np.array_equal(cleaned[inside], everywhere[inside])
    assert (everywhere[inside] != marked[inside]).any()
    assert np.array_equal(cleaned[outside], marked[outside])
    assert (everywhere[outside] != marked[outside]).any()


def test_paint_is_taken_away_with_the_eraser(open_page, photo, predicted):
    page = open_page()
    upload(page, photo)
    stroke = brush(page)
    everything = predicted(photo)[0]
    paint_until(page, lambda: stroke(0.2, 0.25, 0.5), lambda now: now != everything)
    page.get_by_label("Erase", exact=True).click()
    paint_until(page, lambda: [stroke(0.15, 0.3, row) for row in (0.44, 0.5, 0.56)], lambda now: now == everything)


def test_strength_and_model_are_the_command_s(open_page, photo, predicted):
    page = open_page()
    upload(page, photo)
    track = page.locator("#strength-one input[type=range]").bounding_box()
    clean_again(page, lambda: page.mouse.click(track["x"] + track["width"] / 2, track["y"] + track["height"] / 2))
    strength = page.input_value("#strength-one input[type=number]")
    assert 0.4 <= float(strength) <= 0.6
    assert downloaded(page)[1] == predicted(photo, "--strength", strength)[0]
    page.click("#weights-one input")
    clean_again(page, lambda: page.get_by_role("option", name="swcnn").click())
    assert downloaded(page)[1] == predicted(photo, "--strength", strength, "--weights", "swcnn")[0]


def test_many_pictures_are_packed_and_a_broken_one_is_named(open_page, photo, marked, predicted, tmp_path):
    other, broken = tmp_path / "other.png", tmp_path / "broken.jpg"
    Image.fromarray(marked[::-1]).save(other)
    broken.write_bytes(photo.read_bytes()[:2000])
    page = open_page()
    open_tab(page, "Many pictures")
    page.set_input_files("#drop-many input[type=file]", [photo, broken, other])
    page.wait_for_selector("#drop-many >> text=other")
    page.click("#start")
    page.wait_for_selector("#download-all", state="visible")
    assert page.inner_text("#status-many") == "2 of 3 pictures cleaned; 1 failed."
    rows = [row.split("\t") for row in page.inner_text("#table").splitlines() if row.strip()]
    assert [row[0] for row in rows] == [photo.name, "broken.jpg", "other.png"]
    assert rows[1][1].startswith("broken.jpg is damaged or cut short")
    name, content = downloaded(page, "#download-all")
    assert name == "cleaned.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            path.name: predicted(path)[0] for path in (photo, other)
        }


def test_too_many_pictures_are_refused(open_page, marked, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        Image.fromarray(marked[:40, :40]).save(path)
    page = open_page()
    open_tab(page, "Many pictures")
    page.click("#start")
    page.wait_for_selector("#status-many .error:has-text('Drop pictures first.')")
    page.set_input_files("#drop-many input[type=file]", paths)
    page.wait_for_selector("#drop-many >> text=3")
    page.click("#start")
    page.wait_for_selector("#status-many .error:has-text('4 pictures are too many; give at most 3.')")


def test_what_cannot_be_cleaned_is_one_sentence_and_the_next_picture_goes_on(open_page, photo, tmp_path):
    broken, large = tmp_path / "broken.jpg", tmp_path / "large.png"
    broken.write_text("no picture")
    Image.new("L", (1500, 1000)).save(large)
    page = open_page()
    upload(page, photo)
    for path, sentence in (
        (broken, "broken.jpg is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP."),
        (large, "large.png has 1.5 megapixels; at most 1 are taken here, so reduce it first."),
    ):
        page.set_input_files("#drop input[type=file]", path)
        page.wait_for_selector(f"#status .error:has-text('{path.name}')")
        assert page.inner_text("#status") == sentence
        assert page.locator("#download").is_hidden()
        assert page.locator("#results").is_hidden()
    upload(page, photo)
    assert page.locator("#slider").is_visible()


def test_what_is_not_even_uploaded_is_named(open_page, tmp_path):
    large, other = tmp_path / "large.png", tmp_path / "other.gif"
    large.write_bytes(bytes(25_000_000))  # of 24 million that a picture within the limit can have
    other.write_bytes(b"GIF89a")
    page = open_page()
    for path, sentence in ((large, "exceed the maximum allowed size"), (other, "Invalid file type")):
        page.set_input_files("#drop input[type=file]", path)
        page.wait_for_selector(f".toast-body:has-text('{sentence}'):has-text('{path.name}')")
        assert page.locator("#download").is_hidden()


def test_a_phone_shows_all_of_it(open_page, photo):
    page = open_page(NARROW)
    upload(page, photo)
    loaded(page, "#slider img")
    for tab in ("Before and after", "Found", "Paint"):
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    for control in ("#drop", "#download", "#strength-one", "#weights-one", "#editor", "#apply"):
        box = page.locator(control).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]


def test_the_browser_may_ask_no_other_server(browser, address):
    page = browser.new_page()
    page.goto(address)
    blocked = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective));
            fetch('data:,allowed').then(() => new Image().src = 'http://192.0.2.1/pixel.png');
            setTimeout(() => done('nothing'), 5000);
        })"""
    )
    page.close()
    assert blocked == "img-src"


def test_a_page_that_is_closed_leaves_no_picture(open_page, photo, folder):
    def held():
        return [path for path in folder.rglob("*.jpg") if path.name == photo.name]

    deadline = time.monotonic() + 30
    while held() and time.monotonic() < deadline:
        time.sleep(0.5)  # of the tests before
    page = open_page()
    upload(page, photo)
    assert len(held()) == 2  # the input and the result
    page.close()
    deadline = time.monotonic() + 30
    while held() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert held() == []
