"""Seventy awkward files through the command: docs/files.md says what each gets, and says the truth."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.inference.awkward import AWKWARD, LOSSLESS
from wm_lightning.files import FORMATS
from wm_lightning.inference import cleaner
from wm_lightning.inference.command import predict
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.outcomes import Teller
from wm_lightning.inference.pictures import read_picture

DOCUMENT = Path(__file__).parents[2] / "docs" / "files.md"


def written_anew(picture, pixels, suffix, encode, further):
    """Writes a picture as one of which pixels changed."""
    content, lost = encode(picture, pixels, suffix, further)
    return content, picture.notes + lost


class Nothing:
    """Finds no mark."""

    knows_layers = True

    def correct(self, picture):
        return Correction.none(*picture.shape[:2])


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Runs the command on all files at once; returns folder, status, what each got, and its content before."""
    folder = tmp_path_factory.mktemp("awkward")
    for name, make in AWKWARD.items():
        make(folder / name)
    said, contents = {}, {name: (folder / name).read_bytes() for name in AWKWARD}

    def keep(teller, outcomes, *rest):
        for outcome in outcomes:
            source = outcome.job.source
            refused = outcome.error and f"refused: {outcome.error.removeprefix(str(source)).strip()}"
            said[source.name] = refused or "; ".join(outcome.notes) or "as it was"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaner, "open_engine", lambda *arguments: Nothing())
        patch.setattr(Teller, "sum", keep)
        patch.setattr(cleaner, "file_of", written_anew)
        status = predict([*(str(folder / name) for name in AWKWARD), "-o", str(folder / "out")])
    return folder, status, said, contents


def test_every_file_gets_a_picture_or_a_sentence_and_the_others_go_on(outcomes):
    folder, status, said, _ = outcomes
    assert status == 1  # some failed
    assert said.keys() == AWKWARD.keys()
    written = {path.name for path in (folder / "out").iterdir()}
    expected = {name for name, text in said.items() if not text.startswith("refused")}
    assert {Path(name).stem for name in written} == {Path(name).stem for name in expected}
    assert not [name for name in written if name.startswith(".")]  # nothing half-written


def test_the_document_says_what_each_file_gets(outcomes):
    table = "\n".join(f"| `{name}` | {text} |" for name, text in outcomes[2].items())
    assert table in DOCUMENT.read_text(encoding="utf-8"), f"docs/files.md should have\n\n{table}"


@pytest.mark.parametrize("name", LOSSLESS)
def test_where_nothing_is_found_a_lossless_file_keeps_every_value(outcomes, name):
    folder = outcomes[0]
    before, after = read_picture(folder / name), read_picture(folder / "out" / name)
    assert np.array_equal(before.pixels, after.pixels)
    assert (before.alpha is None) == (after.alpha is None)
    assert before.alpha is None or np.array_equal(before.alpha, after.alpha)


@pytest.mark.parametrize("name", ["described.jpg", "described.png", "described.webp"])
def test_exif_and_profile_stay_equal(outcomes, name):
    with Image.open(outcomes[0] / name) as before, Image.open(outcomes[0] / "out" / name) as after:
        assert before.getexif() == after.getexif()
        assert dict(before.getexif()) != {}
        assert before.info["icc_profile"] == after.info["icc_profile"]


def test_a_file_in_which_nothing_is_found_is_the_same_file(outcomes, tmp_path, monkeypatch):
    folder, _, said, _ = outcomes
    good = [name for name, text in said.items() if not text.startswith("refused")]
    monkeypatch.setattr(cleaner, "open_engine", lambda *arguments: Nothing())
    assert predict([*(str(folder / name) for name in good), "-o", str(tmp_path)]) == 0
    same = [name for name in good if FORMATS.get(Path(name).suffix.lower()) == read_picture(folder / name).format]
    assert len(same) > 40
    for name in same:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_inputs_stay(outcomes):
    folder, _, _, contents = outcomes
    assert {name: (folder / name).read_bytes() for name in AWKWARD} == contents
