import torch

from wm_lightning.metrics import Extent
from wm_lightning.reports.extent import extent_table


def test_the_table_says_how_much_is_left_and_where():
    pixels = torch.tensor([[10, 20, 60, 10], [150, 75, 60, 15]])
    error = torch.tensor([[1.0, 0.5, 0.5, 0.0], [7.0, 0.5, 0.25, 0.25]], dtype=torch.float64)
    table = extent_table(Extent(pixels, error, missed=3, marked=8))
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert rows == [
        ("rim", "25 %", "10 %", "20 %", "60 %", "10 %", "20 %", "10 %"),
        ("inner", "75 %", "50 %", "25 %", "20 %", "5 %", "80 %", "70 %"),
    ]
    assert "3 of 8 marked pictures missed" in str(table.title)
