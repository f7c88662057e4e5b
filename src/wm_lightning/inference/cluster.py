"""Cleans the pictures of a folder or a store on a Ray cluster: ``predict.py FOLDER|s3://... -o OUT|s3://... --ray``.

The command lists both and sends names; workers read pictures and write results themselves, each with a network that it
loads once, and send back what became of each. So no picture passes through the command, or through Ray's memory, and
what is in hand is bounded by the number of workers, however fast or slow they are.
"""

from __future__ import annotations

import argparse
import logging
import os
import pickle
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from wm_lightning.data.stores import S3, FolderStore, open_store
from wm_lightning.errors import UserError
from wm_lightning.extras import needing
from wm_lightning.files import FORMATS
from wm_lightning.inference.cleaner import known_before
from wm_lightning.inference.cluster_worker import Worker
from wm_lightning.inference.files import Job, named_jobs
from wm_lightning.inference.known import needs_network
from wm_lightning.inference.outcomes import Outcome
from wm_lightning.inference.result_table import ResultTable, parts_among
from wm_lightning.inference.selection import OTHERS, Choice, passed_over, real, told_of_kinds

TRIES = 3  # of pictures whose worker ended
EACH = 50  # tasks a worker, so that all end at about the same time
MOST = 32  # pictures of a task; what a worker had in hand when it ended is looked at again
THREADS = 8  # of a worker with a GPU, at most
LOCAL = "local"


class Size(NamedTuple):
    """What a cluster offers.

    Attributes:
        workers: How many can work at once.
        threads: Pictures that each works on at once.
        gpus: Of each worker: 0 or 1.
    """

    workers: int
    threads: int
    gpus: int


def planned_on_cluster(options: argparse.Namespace) -> list[Job]:
    """Finds the pictures below a folder or a store; sources and targets are names below these, not paths.

    Args:
        options: Of the command; ``there`` and ``passed_over`` are set.

    Raises:
        UserError: The input is no folder, holds no picture, or is where results would go; or a package is missing.
    """
    with needing("--ray"):
        import pyarrow  # noqa: F401 - said before a long list is read
        import ray  # noqa: F401
    (root,), out = options.inputs, options.output
    source, results = open_store(root), open_store(out)
    if isinstance(source, FolderStore) and not Path(source.root).is_dir():
        raise UserError(f"{root} is no folder; --ray takes one folder, or s3://BUCKET/PREFIX.")
    here, there = (each.root if each.root.startswith(S3) else real(Path(each.root)) for each in (source, results))
    if f"{here}/".startswith(f"{there}/"):
        raise UserError(f"-o {out} holds the pictures themselves; give another folder or prefix.")
    own = f"{there}/".removeprefix(f"{here}/")  # below the input, where it lies there
    choice = Choice(tuple(options.include), tuple(options.exclude), options.recursive)
    names = [name for name, _ in source.names() if not name.startswith(own) and choice.takes(Path(name))]
    pictures = sorted(name for name in names if Path(name).suffix.lower() in FORMATS)
    if not pictures:
        raise UserError(f"{root} holds no picture that is asked for; give another folder or prefix.")
    options.passed_over = passed_over([root], choice) if isinstance(source, FolderStore) else _passed_over(names)
    written = {name for name, _ in results.names()}
    options.there = lambda path: path.as_posix() in written
    options.parts = parts_among(written)
    jobs = named_jobs(filter(_is_path, pictures), options.suffix)
    return jobs + [_unusable(name) for name in pictures if not _is_path(name)]


def _passed_over(names: Sequence[str]) -> str | None:
    """Says what of a store's is not looked at, as :func:`passed_over` does of a folder's."""
    kinds = Counter(suffix for name in names if (suffix := Path(name).suffix.lower()) in OTHERS)
    return " ".join(told_of_kinds(kinds)) or None


def _is_path(name: str) -> bool:
    """Says whether a name is that of a file below a folder too; keys of a store may be called ``/a.jpg``."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts and path.as_posix() == name


def _unusable(name: str) -> Job:
    sentence = f"{name} is no name of a file below a folder, because of its slashes or dots; copy it to another name."
    return Job(Path(name), Path(name), error=sentence)


def on_cluster(jobs: Sequence[Job], mask: npt.NDArray[Any] | None, options: argparse.Namespace) -> Generator[Outcome]:
    """Cleans pictures on a cluster and says what became of each: first of those that are done already.

    Args:
        jobs: The pictures, see :func:`planned_on_cluster`.
        mask: Where pixels may change, (H, W); None allows it everywhere.
        options: Of the command.

    Raises:
        UserError: There is no such cluster, a worker cannot begin, or the cluster was lost.
    """
    known = {job: known_before(job, options.places, options) for job in jobs}
    table = ResultTable(open_store(options.output), options.parts)
    try:
        for outcome in known.values():
            if outcome is not None:
                table.add(outcome)
                yield outcome
        left = [job for job, outcome in known.items() if outcome is None]
        with closing(_from_workers(left, mask, options)) as outcomes:
            for outcome in outcomes:
                table.add(outcome)
                yield outcome
    finally:  # also of a run that was interrupted
        table.finish()


def _from_workers(
    jobs: Sequence[Job], mask: npt.NDArray[Any] | None, options: argparse.Namespace
) -> Generator[Outcome]:
    if not jobs:
        return
    from ray.exceptions import RayError

    waiting = set(jobs)
    # Ray tells of workers that ended on the standard output, which may hold data.
    with redirect_stdout(sys.stderr), _connected(options.ray, options) as size:
        try:
            for outcome in _streamed(jobs, mask, options, size):
                waiting.discard(outcome.job)
                yield outcome
        except RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                f"The cluster gave up ({reason}); the same command with --skip-existing goes on."
            ) from error
    for job in waiting:
        sentence = f"{job.source}: the worker that had it ended, {TRIES} times; --skip-existing tries it again."
        yield Outcome(job, error=sentence, status="failed")


def _streamed(
    jobs: Sequence[Job], mask: npt.NDArray[Any] | None, options: argparse.Namespace, size: Size
) -> Iterator[Outcome]:
    """Yields what became of pictures, as workers are done with them."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the command has its own
    context.max_errored_blocks = -1  # pictures that killed their workers are told of, and the others go on
    together = min(MOST, max(size.threads, len(jobs) // (EACH * size.workers)))
    tasks = -(-len(jobs) // together)
    workers = min(size.workers, tasks)
    work = [{"work": pickle.dumps((job, options.places[job]))} for job in jobs]
    of_all = ("places", "there", "parts")  # which may be long
    own = argparse.Namespace(**{key: value for key, value in vars(options).items() if key not in of_all})
    own.inputs, own.output = [_absolute(options.inputs[0])], _absolute(options.output)
    own.weights = _absolute(options.weights) if Path(options.weights).is_file() else options.weights
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `max_task_retries` is said to go, and nothing is in its place
        done = ray.data.from_items(work, override_num_blocks=tasks).map_batches(
            Worker,
            fn_constructor_args=(mask, own, size.threads),
            batch_format="pyarrow",
            batch_size=None,
            # One task at a time: what waited at a worker that ends would count as tried.
            compute=ray.data.ActorPoolStrategy(
                min_size=1, initial_size=workers, max_size=workers, max_tasks_in_flight_per_actor=1
            ),
            num_cpus=1,
            num_gpus=size.gpus,
            max_task_retries=TRIES - 1,  # without it a picture that kills its worker would be tried for ever
        )
    batch: Any
    for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
        for outcome in map(pickle.loads, batch["outcome"].to_pylist()):
            if isinstance(outcome, UserError):  # no worker could begin
                raise outcome
            yield outcome


def _absolute(place: str) -> str:
    """Returns a name that means the same in processes that were started elsewhere."""
    return place if place.startswith(S3) else os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111


@contextmanager
def _connected(address: str, options: argparse.Namespace) -> Iterator[Size]:
    """Connects with a cluster, or starts one of this machine's cores, and ends what was begun there.

    Raises:
        UserError: There is none.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    import ray.data

    begun_here: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {}
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **begun_here)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        sentence = (
            f"--ray: no cluster can be started on this machine ({reason}); leave --ray out, or give one's address."
            if address == LOCAL
            else f"--ray {address}: no cluster answers there ({reason}); start one with ray start, "
            "and set RAY_AUTH_MODE=token if it asks for one."
        )
        raise UserError(sentence) from error
    try:
        if threading.current_thread() is threading.main_thread():  # which alone may
            signal.signal(signal.SIGTERM, before)  # Ray puts its own there, which ends without a word
        yield _size(ray.cluster_resources(), options)  # type: ignore[no-untyped-call]
    finally:
        ray.shutdown()


def _size(resources: Mapping[str, float], options: argparse.Namespace) -> Size:
    cores, gpus = max(1, int(resources.get("CPU", 1))), int(resources.get("GPU", 0))
    if gpus and _wants_gpus(options):
        return Size(min(gpus, options.jobs or gpus), max(1, min(THREADS, cores // gpus)), 1)
    return Size(min(cores, options.jobs or cores), 1, 0)


def _wants_gpus(options: argparse.Namespace) -> bool:
    if options.device == "cpu" or not needs_network(options.known):
        return False
    with_onnx = options.engine == "onnx" or Path(options.weights).suffix == ".onnx"
    return options.device != "auto" or not with_onnx  # ONNX Runtime is mostly built for the CPU alone
