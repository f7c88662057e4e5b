import io

import pytest
from rich.console import Console

from wm_lightning.reports.published import benchmark_table

SCORES = {
    0.3: {"psnr": 35.126, "psnr_input": 28.93, "psnr_in": 24.5, "psnr_out": 45.0, "ssim_uniform": 0.98765,
          "ssim_input_uniform": 0.95},
    1.0: {"psnr": 20.0, "psnr_input": 18.49, "psnr_in": 9.0, "psnr_out": 44.0, "ssim_uniform": 0.9,
          "ssim_input_uniform": 0.8},
}  # fmt: skip


def rows(scores, label="ours", published="swcnn"):
    table = benchmark_table(scores, label, published)
    names, *columns = (list(column.cells) for column in table.columns)
    return dict(zip(names, zip(*columns, strict=True), strict=True))


def printed(scores, label):
    out = io.StringIO()
    Console(file=out, width=100).print(benchmark_table(scores, label, "swcnn"))
    return out.getvalue()


def test_published_rows_stand_beside_the_measured_ones():
    found = rows(SCORES)
    assert found["SWCNN, one model each"] == ("36.90 (0.9893)", "28.14")
    assert not any("PSLNet" in name for name in found)  # measured on other pairs
    assert found["identity"] == ("28.93", "18.49")
    assert found["identity, measured"] == ("28.93 (0.9500)", "18.49 (0.8000)")
    assert found["ours"] == ("35.13 (0.9877)", "20.00 (0.9000)")
    assert found["  inside the mask"] == ("24.50", "9.00")
    assert found["  outside the mask"] == ("45.00", "44.00")
    assert list(found)[-4:] == ["identity, measured", "ours", "  inside the mask", "  outside the mask"]


def test_figures_of_other_pairs_stand_in_another_table():
    found = rows(SCORES, published="pslnet")
    assert found["PSLNet, one model for all"] == ("38.66 (0.9909)", "34.50")
    assert found["SSH-Net, for 0.3 alone"] == ("49.38 (0.9986)", "")
    assert found["identity"] == ("32.21", "21.70")
    assert not any("SWCNN" in name for name in found)


def test_an_opacity_that_was_not_published_has_measured_rows_only():
    found = rows({0.4: SCORES[0.3]})
    assert found["ours"] == ("35.13 (0.9877)",)
    assert {cells for name, cells in found.items() if name not in list(found)[-4:]} == {("",)}


@pytest.mark.parametrize("label", ["runs/[best]/x.ckpt", "[/red]"])
def test_a_label_with_brackets_is_shown_as_it_is(label):
    assert label in printed(SCORES, label)


def test_each_opacity_heads_its_column():
    table = benchmark_table({0.3: SCORES[0.3], 0.45: SCORES[0.3], 1.0: SCORES[1.0]}, "ours", "swcnn")
    assert [str(column.header) for column in table.columns] == ["", "0.3", "0.45", "1"]
