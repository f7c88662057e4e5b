from pathlib import Path

import matplotlib
import pytest

from wm_lightning.data.synthesis import MarkSpec


@pytest.fixture(scope="session")
def fonts():
    """The folder of the bundled fonts."""
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture
def mark():
    """A white filled rectangle that hides what is below it, changed as told."""

    def make(**changes):
        plain = {
            "kind": "rectangle", "center": (0.5, 0.5), "size": 0.5, "angle": 0.0, "colour": (255, 255, 255),
            "opacity": 1.0, "aspect": 0.5,
        }  # fmt: skip
        return MarkSpec(**{**plain, **changes})

    return make
