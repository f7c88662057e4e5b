"""Where under the marks the error that is left sits, as a table."""

from __future__ import annotations

from rich.table import Table

from wm_lightning.metrics.extent import DEGREES, Extent


def extent_table(extent: Extent) -> Table:
    """Returns a row for a mark's rim and one for what lies inside it, in percent.

    Args:
        extent: Of at least one marked picture.
    """
    missed = f"{extent.missed} of {extent.marked} marked pictures missed"
    table = Table(title=f"Under the marks, of the network alone: {missed}", min_width=90)
    for heading in ("", "pixels", *(f"{degree}" for degree in DEGREES), "of the error left", "untouched alone"):
        table.add_column(heading, justify="left" if not heading else "right")
    for part, shares in extent.shares().items():
        table.add_row(part, *(f"{100 * share:.0f} %" for share in shares.values()))
    return table
