"""The table of a cluster's results, of which parts are kept beside other files."""

from pathlib import Path

from pyarrow import parquet

from wm_lightning.data.stores import open_store
from wm_lightning.inference.files import Job
from wm_lightning.inference.outcomes import Outcome
from wm_lightning.inference.result_table import ResultTable, parts_among


def written(store, *names):
    """Adds pictures in a run; returns the table's and the names of parts."""
    table = ResultTable(store, parts_among(name for name, _ in store.names()))
    for name in names:
        table.add(Outcome(Job(Path(name), Path(name))))
    table.finish()
    every = parquet.read_table(Path(store.root, "results.parquet"))["file"].to_pylist()
    return every, parts_among(name for name, _ in store.names())


def test_parts_are_what_is_called_so_and_the_next_one_follows_the_last(tmp_path):
    store = open_store(str(tmp_path))
    for name in ("results/a.jpg", "results/1.parquet", "results/deep/00007.parquet", "deep/results/00008.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a user's own")
    assert written(store, "a.jpg") == (["a.jpg"], ["results/00001.parquet"])
    assert written(store, "b.jpg") == (["a.jpg", "b.jpg"], ["results/00001.parquet", "results/00002.parquet"])
    (tmp_path / "results/00001.parquet").unlink()
    assert written(store, "c.jpg") == (["b.jpg", "c.jpg"], ["results/00002.parquet", "results/00003.parquet"])


def test_parts_are_in_the_order_of_their_numbers():
    names = ["results/100000.parquet", "results/00002.parquet", "results/99999.parquet"]
    assert parts_among(names) == ["results/00002.parquet", "results/99999.parquet", "results/100000.parquet"]
