import pytest

from wm_lightning.sizes import SizeRequirement


@pytest.mark.parametrize(
    ("multiple", "minimum", "length", "wanted"),
    [
        (8, 1, 1, 8),
        (8, 1, 7, 8),
        (8, 1, 8, 8),
        (8, 1, 9, 16),
        (8, 20, 3, 24),
        (8, 16, 3, 16),
        (1, 1, 37, 37),
        (1, 50, 37, 50),
    ],
)
def test_padded_is_the_smallest_allowed_length(multiple, minimum, length, wanted):
    assert SizeRequirement(multiple, minimum).padded(length) == wanted


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [
        (8, 16, None),
        (7, 16, (1, 0, True)),
        (5, 5, (3, 3, True)),
        (4, 40, (4, 0, False)),  # four rows have three to mirror
        (1, 1, (7, 7, False)),
        (30, 3, (2, 5, False)),
    ],
)
def test_padding_is_mirrored_where_the_picture_is_large_enough(height, width, wanted):
    assert SizeRequirement(8).padding(height, width) == wanted
