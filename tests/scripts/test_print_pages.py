"""Pictures of printed pages."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from wm_lightning.errors import UserError

pytest.importorskip("pypdfium2", reason="pip install wm-lightning[dev]")


def page(words="Chapter 1"):
    picture = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(picture)
    for row in range(60, 760, 20):
        draw.text((60, row), words * 8, fill="black")
    return picture


@pytest.fixture
def documents(tmp_path):
    (tmp_path / "documents").mkdir()
    page().save(tmp_path / "documents" / "one.pdf", save_all=True, append_images=[page("12")])
    return [tmp_path / "documents" / "one.pdf"]


def test_a_seed_makes_the_same_picture_again_and_another_seed_another(documents, photographs):
    from print_pages import picture_of

    first, again, other = (picture_of(documents, sorted(photographs.iterdir()), seed) for seed in (1, 1, 2))
    assert first.dtype == np.uint8
    assert first.shape[2] == 3
    assert min(first.shape[:2]) >= 200
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_all_looks_have_letters_on_paper(documents, photographs):
    from print_pages import picture_of

    for seed in range(12):
        grey = picture_of(documents, sorted(photographs.iterdir()), seed).astype(float).mean(axis=2)
        assert grey.std() > 5


def test_ink_is_dark_and_spreads_on_paper_that_is_light():
    from print_pages import printed

    white = np.full((200, 300, 3), 255, np.uint8)
    white[80:120, 100:200] = 0
    for old in (False, True):
        paper = printed(white, np.random.default_rng(3), old).astype(float)
        assert paper[:60].mean() > 130
        assert paper[95:105, 120:180].mean() < 110
        assert paper[80:120, 97:100].mean() < paper[80:120, :60].mean() - 5
    assert paper[:60, :, 2].mean() < paper[:60, :, 0].mean() - 10  # old paper is yellow


def test_the_photograph_shows_beside_a_page_that_is_seen_from_the_side(monkeypatch):
    import albumentations as A
    import print_pages

    monkeypatch.setattr(print_pages, "PHOTOGRAPHED", A.Compose([A.Perspective(scale=(0.1, 0.1), fit_output=True, p=1)]))
    white, green = np.full((200, 300, 3), 255, np.uint8), np.zeros((50, 50, 3), np.uint8)
    green[..., 1] = 200
    taken = print_pages.photographed(white, green, np.random.default_rng(0))
    assert taken.shape == white.shape
    assert (taken[100, 150] == 255).all()
    corners = taken[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == (0, 200, 0)).all(axis=1).any()


def test_broken_documents_are_skipped_and_empty_ones_refused(tmp_path, caplog):
    from print_pages import page_of

    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    Image.new("RGB", (60, 80), "white").save(tmp_path / "empty.pdf")
    page().save(tmp_path / "good.pdf")
    every = sorted(tmp_path.glob("*.pdf"))
    assert page_of(every, np.random.default_rng(0)).std() > 10
    with pytest.raises(UserError, match="No page with anything on it was found among 2 PDF files"):
        page_of(every[:2], np.random.default_rng(0))
    assert "broken.pdf" in caplog.text


def test_the_command_writes_pages_and_refuses_a_folder_without_any(documents, photographs, tmp_path, monkeypatch):
    from print_pages import main

    given = [str(documents[0].parent), str(photographs), str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["print_pages.py", *given, "--pages", "2", "--seed", "5"])
    main()
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["page_0005.png", "page_0006.png"]
    monkeypatch.setattr("sys.argv", ["print_pages.py", str(photographs), *given[1:]])
    with pytest.raises(SystemExit, match=r"error: .* holds no PDF files"):
        main()
