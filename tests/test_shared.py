"""On the real photographs, where they lie beside the repository."""

from pathlib import Path

import pytest

from wm_lightning.data.indexing import look_at
from wm_lightning.data.sources import FolderSource, each_of, split_names

PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "photos"


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the 1,000 photographs are not beside this repository")
def test_a_thousand_photographs_split_700_200_100_and_none_is_broken():
    source = FolderSource(PHOTOGRAPHS)
    assert [len(names) for names in split_names(source.names, seed=0)] == [700, 200, 100]
    looked_at = dict(each_of(source.names, lambda name: look_at(PHOTOGRAPHS / name), "looking"))
    assert len(looked_at) == 1000
    assert not any(entry.reason for entry in looked_at.values())
