import json
import math

import pytest

from wm_lightning.reports.record import write_record


def read_strictly(path):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_what_is_no_number_becomes_null_at_any_depth(tmp_path):
    path = tmp_path / "new" / "record.json"
    write_record(
        path, {"psnr": math.nan, "history": [{"loss": math.inf, "epoch": 1}], "name": "é", "pair": (1.5, -math.inf)}
    )
    assert read_strictly(path) == {
        "psnr": None, "history": [{"loss": None, "epoch": 1}], "name": "é", "pair": [1.5, None]
    }  # fmt: skip


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "record.json"
    write_record(path, {"epoch": 1})
    with pytest.raises(TypeError):
        write_record(path, {"epoch": object()})
    assert read_strictly(path) == {"epoch": 1}
