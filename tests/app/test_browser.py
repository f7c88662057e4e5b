"""The page in a real browser, started as typed."""

import io
import re
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app.serving import Server, files_below

pytest.importorskip("gradio", reason="Gradio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

PATIENCE = 300_000  # milliseconds; a loaded machine takes that long
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the server puts temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def address(folder):
    server = Server(folder, "--max-megapixels", "1", "--max-pictures", "3")
    yield server.address
    assert server.stop() == (0, [], 0)  # nothing is left


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a window of its own; in the end no request of its went elsewhere and no script failed."""
    asked, troubles, contexts = [], [], []

    def call(viewport=WIDE, **options):
        context = browser.new_context(viewport=viewport, **options)
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
    assert boxes[0] == boxes[1]
    middle = page.locator("#slider .compare").screenshot()
    page.mouse.click(boxes[0]["x"] + 20, boxes[0]["y"] + 10)
    assert page.locator("#slider .compare").screenshot() != middle
    assert int(page.input_value("#slider input")) < 15


def test_the_slider_is_moved_by_keyboard_and_each_picture_is_named(open_page, photo):
    page = open_page()
    upload(page, photo)
    page.focus("#slider input")
    page.keyboard.press("Home")
    cut = "getComputedStyle(document.querySelector('#slider img + img')).clipPath"
    assert page.evaluate(cut) == "inset(0px 0px 0px 0%)"
    page.keyboard.press("End")
    assert page.evaluate(cut) == "inset(0px 0px 0px 100%)"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(cut) == "inset(0px 0px 0px 99%)"
    said = []
    for tab in ("Before and after", "Marks found", "Paint"):
        open_tab(page, tab)
        page.locator("#results img:visible").first.wait_for()
        said += [image.get_attribute("alt") for image in page.locator("#results img:visible").all()]
    assert said == [
        f"{photo.name} before", f"{photo.name} after",
        f"{photo.name} in grey; the marks that were found are red, in numbered boxes", f"{photo.name}, to paint on",
    ]  # fmt: skip


def test_what_was_found_is_red(open_page, photo):
    page = open_page()
    upload(page, photo)
    open_tab(page, "Marks found")
    assert loaded(page, "#marks img") == [320]
    shown = pixels(page.locator("#marks img").screenshot()).astype(int)
    red = (shown[..., 0] - shown[..., 1]) > 60
    rows = red.mean(axis=1)
    at = slice(*(round(row / 220 * len(rows)) for row in (98, 125)))
    assert rows[at].mean() > 0.2
    assert rows[at].sum() > 0.7 * rows.sum()


def stroke(page, brush, left, right, row):
    """Paints a line; places are shares of the picture."""
    page.get_by_label(brush, exact=True).check()
    box = page.locator("#painter canvas").bounding_box()
    y = box["y"] + row * box["height"]
    page.mouse.move(box["x"] + left * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], y, steps=4)
    page.mouse.up()


def press_clean_again(page):
    clean_again(page, lambda: page.click("#apply"))
    return pixels(downloaded(page)[1])


def test_what_is_painted_is_left_alone_until_it_is_undone(open_page, marked, predicted, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(marked).save(photo)
    page = open_page()
    upload(page, photo)
    everywhere = pixels(predicted(photo)[0])
    open_tab(page, "Paint")
    loaded(page, "#painter img")
    for row in (0.44, 0.5, 0.56):
        stroke(page, "Leave this alone", 0.05, 0.4, row)
    cleaned = press_clean_again(page)
    painted, rest = (slice(98, 126), slice(48, 110)), (slice(0, 220), slice(170, 320))
    assert np.array_equal(cleaned[painted], marked[painted])
    assert (everywhere[painted] != marked[painted]).any()
    assert np.array_equal(cleaned[rest], everywhere[rest])
    assert (everywhere[rest] != marked[rest]).any()
    stroke(page, "Eraser", 0.05, 0.1, 0.5)
    for _ in range(4):
        page.get_by_role("button", name="Undo").click()
    assert np.array_equal(press_clean_again(page), everywhere)


def test_here_is_a_mark_is_believed_without_evidence(open_page, marked, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(marked).save(photo)
    page = open_page()
    upload(page, photo)
    page.fill("#sensitivity-one input[type=number]", "0")
    clean_again(page, lambda: page.keyboard.press("Tab"))
    assert np.array_equal(pixels(downloaded(page)[1]), marked)
    open_tab(page, "Paint")
    loaded(page, "#painter img")
    stroke(page, "Here is a mark", 0.15, 0.5, 0.5)
    changed = (press_clean_again(page) != marked).any(axis=-1)
    assert changed[100:120, 50:150].mean() > 0.05
    assert not changed[:, 200:].any()


def test_a_mark_is_switched_off_and_on_and_a_mask_is_taken(open_page, marked, predicted, tmp_path):
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    Image.fromarray(marked).save(photo)
    values = np.zeros(marked.shape[:2], np.uint8)
    values[:, :150] = 255
    Image.fromarray(values).save(mask)
    page = open_page()
    upload(page, photo)
    open_tab(page, "Marks found")
    box = page.locator("#boxes input").first
    clean_again(page, box.uncheck)
    assert np.array_equal(pixels(downloaded(page)[1])[98:126, 48:280], marked[98:126, 48:280])
    clean_again(page, box.check)
    assert downloaded(page)[1] == predicted(photo)[0]
    open_tab(page, "Paint")
    page.set_input_files("#given-mask input[type=file]", mask)
    page.wait_for_selector("#status p:has-text('mask.png: used as mask')")
    clean_again(page, lambda: page.click("#apply"))
    assert downloaded(page)[1] == predicted(photo, "--mask", str(mask))[0]


def test_it_speaks_chinese_to_a_browser_that_does(open_page, photo):
    page = open_page(locale="zh-CN")
    page.set_input_files("#drop input[type=file]", photo)
    page.wait_for_selector("#download", state="visible")
    assert page.inner_text("#status").startswith(f"{photo.name}：320 x 220；1 处水印，修改了 ")
    assert page.locator("#download").inner_text() == "下载"
    assert page.get_by_role("tab", name="前后对比", exact=True).is_visible()
    assert page.get_by_text("请只处理您有权修改的图片").is_visible()


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": NARROW}], ids=["wide", "dark", "phone"])
def test_axe_finds_no_serious_fault(open_page, photo, options):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = open_page(**options)
    upload(page, photo)
    if "color_scheme" in options:
        assert max(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor")))) < 60
    for tab in ("Before and after", "Marks found", "Paint", "Many pictures"):
        open_tab(page, tab)
        found = axe.run(page).response
        assert len(found["passes"]) > 10
        serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []


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
    assert [row[0] for row in rows] == ["File", photo.name, "broken.jpg", "other.png"]
    assert rows[2][1].startswith("broken.jpg is damaged or cut short")
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
    large, other = tmp_path / "large.png", tmp_path / "other.jp2"
    large.write_bytes(bytes(25_000_000))  # of 24 million that a picture within the limit can have
    other.write_bytes(b"jP2")
    page = open_page()
    for path, sentence in ((large, "exceed the maximum allowed size"), (other, "Invalid file type")):
        page.set_input_files("#drop input[type=file]", path)
        page.wait_for_selector(f".toast-body:has-text('{sentence}'):has-text('{path.name}')")
        assert page.locator("#download").is_hidden()


def test_a_phone_shows_all_of_it(open_page, photo):
    page = open_page(NARROW)
    upload(page, photo)
    loaded(page, "#slider img")
    for tab in ("Before and after", "Marks found", "Paint"):
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    boxes = {}
    for control in ("#drop", "#download", "#strength-one", "#weights-one", "#painter", "#apply"):
        box = boxes[control] = page.locator(control).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
    assert boxes["#download"]["y"] < boxes["#painter"]["y"] < boxes["#strength-one"]["y"]  # results before settings


def test_the_browser_may_ask_no_other_server(browser, address):
    page = browser.new_page()
    page.goto(address)
    blocked = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective));
            fetch('data:,allowed').then(() => new Image().src = 'http://192.0.2.1/pixel.png');
            setTimeout(() => done('nothing'), 60000);
        })"""
    )
    page.close()
    assert blocked == "img-src"


def test_a_page_that_is_closed_leaves_no_picture(open_page, photo, folder):
    def held():
        return [path for path in files_below(folder) if path.name == photo.name]

    deadline = time.monotonic() + PATIENCE / 1000
    while held() and time.monotonic() < deadline:
        time.sleep(0.5)  # of the tests before
    page = open_page()
    upload(page, photo)
    assert len(held()) == 2  # the input and the result
    page.close()
    deadline = time.monotonic() + PATIENCE / 1000
    while held() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert held() == []
