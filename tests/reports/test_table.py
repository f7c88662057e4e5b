import io
import math

import pytest
from rich.console import Console

from wm_lightning.metrics import COLUMNS
from wm_lightning.reports.table import print_result, result_table

SCORES = {
    "psnr": 31.234, "psnr_input": 28.5, "ssim": 0.91236, "ssim_input": 0.9, "psnr_in": 22.5, "psnr_input_in": 17.25,
    "psnr_out": 35.678, "psnr_ref": 27.0, "psnr_input_ref": 28.0, "ssim_ref": 0.8, "ssim_input_ref": 0.825,
}  # fmt: skip


def cells(scores):
    """Each row of the table by its heading's column."""
    table = result_table(scores, "Test")
    columns = {str(column.header): list(column.cells) for column in table.columns}
    names = columns.pop("")
    return {name: {heading: values[row] for heading, values in columns.items()} for row, name in enumerate(names)}


def printed(scores):
    console = Console(file=io.StringIO(), width=200)
    print_result(scores, "Test of a model", console)
    return console.file.getvalue()


def test_model_row():
    assert cells(SCORES)["model"] == {
        "PSNR": "31.23", "SSIM": "0.9124", "PSNR in mask": "22.50", "PSNR outside": "35.68", "PSNR to ref.": "27.00",
        "SSIM to ref.": "0.8000",
    }  # fmt: skip


def test_identity_row():
    assert cells(SCORES)["do nothing (identity)"] == {
        "PSNR": "28.50", "SSIM": "0.9000", "PSNR in mask": "17.25", "PSNR outside": "exact", "PSNR to ref.": "28.00",
        "SSIM to ref.": "0.8250",
    }  # fmt: skip


def test_gain_row_has_signs():
    assert cells(SCORES)["gain"] == {
        "PSNR": "+2.73", "SSIM": "+0.0124", "PSNR in mask": "+5.25", "PSNR outside": "", "PSNR to ref.": "-1.00",
        "SSIM to ref.": "-0.0250",
    }  # fmt: skip


def test_table_takes_all_reported_columns():
    assert set(SCORES) == set(COLUMNS)


def test_figures_and_title_are_printed():
    text = printed(SCORES)
    for shown in ("Test of a model", "31.23", "28.50", "+2.73", "0.9124", "35.68", "exact", "-0.0250"):
        assert shown in text


@pytest.mark.parametrize(
    ("psnr", "verdict"), [(28.6, "better than"), (28.5, "NOT better than"), (28.4, "NOT better than")]
)
def test_verdict_compares_with_doing_nothing(psnr, verdict):
    text = printed({**SCORES, "psnr": psnr})
    assert f"the model is {verdict} doing nothing ({psnr - 28.5:+.2f} dB)" in text


def test_model_without_a_score_is_not_called_better():
    assert "NOT better than" in printed({**SCORES, "psnr": math.nan})


def test_verdict_goes_by_the_clean_photograph_and_not_by_the_reference():
    assert "NOT better" in printed({**SCORES, "psnr": 20.0, "psnr_ref": 40.0, "ssim": 0.99, "psnr_in": 50.0})


def test_result_fits_a_console_of_90_columns():
    console = Console(file=io.StringIO(), width=90)
    print_result(SCORES, "Test", console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 90
    assert "…" not in text
