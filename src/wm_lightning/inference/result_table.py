"""What became of very many pictures: a table beside the results, as Parquet and as CSV."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wm_lightning.data.stores import Store
from wm_lightning.inference.outcomes import Outcome

PART = re.compile(r"results/(\d{5,})\.parquet")
NAME = "results"
ROWS, SECONDS = 10_000, 60.0  # a part is written at the latest after so many pictures, or so long


class ResultTable:
    """Writes parts while a run goes on, so that little is lost where it is killed, and a table of all runs at its end.

    ``results/00001.parquet`` and so on are the parts, each of what was finished since the one before;
    ``results.parquet`` and ``results.csv`` have one row a picture, of the last run that looked at it.

    Args:
        store: Where the results are.
        parts: Those that are there, see :func:`parts_among`.
    """

    def __init__(self, store: Store, parts: Iterable[str]) -> None:
        self.store, self.parts = store, list(parts)
        self._skipped: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []
        self._since = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Adds what became of a picture; one that was skipped has its row in an earlier part, or none is known."""
        (self._skipped if outcome.status == "skipped" else self._rows).append(as_row(outcome))
        if len(self._rows) >= ROWS or time.monotonic() - self._since > SECONDS:
            self._write_part()

    def finish(self) -> None:
        """Writes what is left, and the table of all; none where nothing is known of any picture."""
        import pyarrow as pa
        from pyarrow import csv, parquet

        self._write_part()
        if not self.parts and not self._skipped:
            return
        parts = [parquet.read_table(io.BytesIO(self.store.read(part))) for part in self.parts]
        every = pa.concat_tables([_table(self._skipped), *parts])
        every = every.append_column("order", pa.array(range(every.num_rows), pa.int64()))
        last = every.group_by("file").aggregate([("order", "max")])["order_max"]
        table = every.take(last).drop_columns("order").sort_by("file")
        with TemporaryDirectory() as folder:
            for suffix, write in ((".parquet", parquet.write_table), (".csv", csv.write_csv)):
                draft = Path(folder, f"{NAME}{suffix}")
                write(table, draft)
                self.store.put(draft, draft.name)

    def _write_part(self) -> None:
        from pyarrow import parquet

        self._since = time.monotonic()
        if not self._rows:
            return
        part = f"results/{max(map(_number, self.parts), default=0) + 1:05d}.parquet"
        with TemporaryDirectory() as folder:
            draft = Path(folder, "part.parquet")
            parquet.write_table(_table(self._rows), draft)
            self.store.put(draft, part)
        self.parts.append(part)
        self._rows = []


def parts_among(names: Iterable[str]) -> list[str]:
    """Returns the parts of a table among names in a store, the oldest first; other files may lie beside them."""
    return sorted(filter(PART.fullmatch, names), key=_number)


def as_row(outcome: Outcome) -> dict[str, Any]:
    """Returns a row of the table; its columns are those of docs/predict.md, marks as JSON."""
    row = outcome.as_json()
    row["marks"] = json.dumps(row["marks"]) if "marks" in row else None
    row["notes"] = "; ".join(row["notes"])
    for key, value in row.items():
        if isinstance(value, str):  # bytes of names that are no text become escapes
            row[key] = value.encode("utf-8", "backslashreplace").decode()
    return row


def _table(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - of pyarrow, which may be missing
    import pyarrow as pa

    columns = [("file", pa.string()), ("status", pa.string()), ("result", pa.string())]
    columns += [("width", pa.int32()), ("height", pa.int32()), ("changed", pa.float64())]
    columns += [(name, pa.string()) for name in ("marks", "warning", "notes", "error")]
    return pa.Table.from_pylist(rows, pa.schema([*columns, ("seconds", pa.float64())]))


def _number(part: str) -> int:
    return int(Path(part).stem)
