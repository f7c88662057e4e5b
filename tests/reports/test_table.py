import io
import math

import pytest
from rich.console import Console

from wm_lightning.metrics import COLUMNS, EXTRAS, PRESETS
from wm_lightning.reports.table import print_result, result_table, verdict

SCORES = {
    "psnr": 31.234, "psnr_input": 28.5, "ssim": 0.91236, "ssim_input": 0.9, "psnr_in": 22.5, "psnr_input_in": 17.25,
    "psnr_out": 35.678, "psnr_ref": 27.0, "psnr_input_ref": 28.0, "ssim_ref": 0.8, "ssim_input_ref": 0.825,
    "rmse": 7.5, "rmse_input": 9.5, "rmse_w": 19.25, "rmse_input_w": 35.0, "iou": 0.71, "f1": 0.8126,
    "precision": 0.9, "recall": 0.75, "gain": 2.734, "gain_in": 5.25, "psnr_marked": 31.234, "psnr_input_marked": 28.5,
    "psnr_unmarked": math.nan,
}  # fmt: skip
OTHERS = {
    "ssim_uniform": 0.95, "ssim_input_uniform": 0.9375, "psnr_slbr": 31.0, "ssim_slbr": 0.94, "ssim_input_slbr": 0.95,
    "rmse_slbr": 8.0, "rmse_slbr_w": 20.0, "lpips": 0.0123, "lpips_input": 0.05, "niqe": 4.5, "niqe_input": 4.25,
}  # fmt: skip


def of(preset, *extras):
    columns = (*PRESETS[preset], *(column for extra in extras for column in EXTRAS[extra]))
    return {column: {**SCORES, **OTHERS}[column] for column in columns}


def cells(scores):
    """Each row of the table by its heading's column."""
    table = result_table(scores, "Test")
    columns = {str(column.header).replace("\n", " "): list(column.cells) for column in table.columns}
    names = columns.pop("")
    return {name: {heading: values[row] for heading, values in columns.items()} for row, name in enumerate(names)}


def printed(scores, title="Test of a model"):
    out = io.StringIO()
    print_result(scores, title, Console(file=out, width=200))
    return out.getvalue()


def test_model_row():
    assert cells(SCORES)["model"] == {
        "PSNR": "31.23", "SSIM": "0.9124", "PSNR in mask": "22.50", "PSNR outside": "35.68", "PSNR to ref.": "27.00",
        "SSIM to ref.": "0.8000", "RMSEw": "19.25", "IoU": "0.710", "F1": "0.813",
    }  # fmt: skip


def test_identity_row():
    assert cells(SCORES)["identity"] == {
        "PSNR": "28.50", "SSIM": "0.9000", "PSNR in mask": "17.25", "PSNR outside": "exact", "PSNR to ref.": "28.00",
        "SSIM to ref.": "0.8250", "RMSEw": "35.00", "IoU": "", "F1": "",
    }  # fmt: skip


def test_gain_row_has_signs_and_more_is_better():
    assert cells(SCORES)["gain"] == {
        "PSNR": "+2.73", "SSIM": "+0.0124", "PSNR in mask": "+5.25", "PSNR outside": "", "PSNR to ref.": "-1.00",
        "SSIM to ref.": "-0.0250", "RMSEw": "+15.75", "IoU": "", "F1": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "model", "gain"),
    [
        (of("swcnn"), {"PSNR": "31.23", "SSIM": "0.9500", "PSNR in mask": "22.50", "PSNR outside": "35.68"}, "+0.0125"),
        (
            of("slbr"),
            {
                "PSNR": "31.00", "SSIM": "0.9400", "PSNR in mask": "22.50", "PSNR outside": "35.68", "RMSE": "8.00",
                "RMSEw": "20.00", "IoU": "0.710", "F1": "0.813",
            },
            "-0.0100",
        ),
        (of("watermarkcnn"), {"PSNR to ref.": "27.00", "SSIM to ref.": "0.8000"}, "-0.0250"),
    ],
    ids=["swcnn", "slbr", "watermarkcnn"],
)  # fmt: skip
def test_presets_show_their_own_columns(scores, model, gain):
    rows = cells(scores)
    assert rows["model"] == model
    assert rows["gain"].get("SSIM", rows["gain"].get("SSIM to ref.")) == gain


def test_extras_are_better_the_lower_they_are():
    rows = cells(of("swcnn", "lpips", "niqe"))
    assert [rows[row]["LPIPS"] for row in rows] == ["0.0123", "0.0500", "+0.0377"]
    assert [rows[row]["NIQE"] for row in rows] == ["4.50", "4.25", "-0.25"]


def test_what_no_picture_is_defined_on_is_said_to_be_so():
    rows = cells({**SCORES, "psnr_ref": math.nan, "psnr_input_ref": math.nan, "iou": math.nan})
    assert [rows[row]["PSNR to ref."] for row in rows] == ["n/a", "n/a", "n/a"]
    assert rows["model"]["IoU"] == "n/a"


def test_table_takes_all_reported_columns():
    assert set(SCORES) == set(COLUMNS)


def test_figures_and_title_are_printed():
    text = printed(SCORES)
    for shown in ("Test of a model", "31.23", "28.50", "+2.73", "0.9124", "35.68", "exact", "-0.0250"):
        assert shown in text


@pytest.mark.parametrize(
    ("psnr", "verdict"),
    [
        (28.6, "better than"),
        (28.506, "better than"),
        (28.504, "NOT better than"),
        (28.5, "NOT better than"),
        (28.4, "NOT better than"),
    ],
)
def test_verdict_compares_with_doing_nothing(psnr, verdict):
    text = printed({**SCORES, "psnr": psnr})
    assert f"the model is {verdict} the identity ({psnr - 28.5:+.2f} dB)" in text


def test_model_without_a_score_is_not_called_better():
    assert "NOT better than" in printed({**SCORES, "psnr": math.nan})


def test_verdict_goes_by_the_clean_photograph_and_not_by_the_reference():
    assert "NOT better" in printed({**SCORES, "psnr": 20.0, "psnr_ref": 40.0, "ssim": 0.99, "psnr_in": 50.0})


def test_pictures_with_and_without_a_mark_stand_apart():
    apart = {"psnr": 60.0, "psnr_input": 62.0, "psnr_marked": 31.5, "psnr_unmarked": 88.25}
    text = printed({**SCORES, **apart})
    assert "Against the clean photograph the model is better than the identity (+3.00 dB)" in text
    assert "Pictures without a mark come back at 88.25 dB against themselves." in " ".join(text.split())
    rows = cells({**SCORES, **apart})
    assert "PSNR" not in rows["model"]
    assert (rows["model"]["PSNR marked"], rows["model"]["PSNR no mark"]) == ("31.50", "88.25")
    assert (rows["identity"]["PSNR no mark"], rows["gain"]["PSNR marked"]) == ("exact", "+3.00")
    alone = verdict({**SCORES, **apart, "psnr_marked": math.nan, "psnr_input_marked": math.nan})
    assert alone == "No picture has a mark. Pictures without a mark come back at 88.25 dB against themselves."


def test_each_target_has_its_verdict():
    assert "Against the clean photograph the model is better than the identity (+2.50 dB)" in printed(of("slbr"))
    against = "Against the second watermarked view the model is NOT better than the identity (-1.00 dB)"
    assert against in printed(of("watermarkcnn"))


@pytest.mark.parametrize("preset", PRESETS)
def test_result_fits_a_console_of_110_columns(preset):
    out = io.StringIO()
    # Figures of the greatest length.
    scores = {name: 100.0 if "psnr" in name or "rmse" in name else value for name, value in of(preset).items()}
    print_result({**scores, "psnr_input": 12.0, "psnr_input_in": 2.0}, "Test", Console(file=out, width=110))
    text = out.getvalue()
    assert "│ identity" in text
    assert "…" not in text
    assert text.count("│ gain") == 1
    assert len([line for line in text.splitlines() if line.startswith("│")]) == 3  # nothing is folded


def test_a_log_file_holds_the_extras_too(capsys):
    print_result(of("full", "lpips", "niqe"), "Test")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert len(lines) == 3
    assert lines[0].split("│")[-2].strip() == "4.50"


def test_a_narrow_console_cuts_no_figure():
    out = io.StringIO()
    print_result(SCORES, "Test", Console(file=out, width=70))
    text = out.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 70


def test_pairs_without_a_second_view_are_not_judged_by_it():
    scores = {"psnr_ref": math.nan, "psnr_input_ref": math.nan}
    assert verdict(scores) == "These pairs have no second watermarked view to compare with."


def test_brackets_in_a_path_are_shown_as_they_are():
    assert "runs/[bold]/best.ckpt" in printed({"psnr": 30.0, "psnr_input": 28.0}, "runs/[bold]/best.ckpt")
