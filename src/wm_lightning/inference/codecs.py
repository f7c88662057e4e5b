"""Decodes and encodes in processes of their own: where a C library aborts or hangs, one picture fails, not the batch.

A pool of the standard library breaks as a whole when one of its processes dies, so these are plain ones, each with a
pipe in and a pipe out.
"""

from __future__ import annotations

import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from wm_lightning.errors import TooLargeError, UnreadableError, UnsupportedError, UserError
from wm_lightning.images.limits import USUAL, Limits, limit_memory, limit_pixels
from wm_lightning.images.pixels import Pixels
from wm_lightning.inference.encoding import OF_BEFORE, encode_picture
from wm_lightning.inference.pictures import Picture, read_picture

NUMBER = struct.Struct("<Q")
NOTHING = np.zeros((0, 0, 3), np.uint8)
PROGRAM = "import sys; sys.path[:] = {}; from wm_lightning.inference.codecs import serve; serve({!r}, {!r})"


class Codecs:
    """Processes that read and encode pictures, one picture at a time each; a context that ends them.

    Each is started at once, imports while others work, and is started again after it died.

    Args:
        count: How many.
        limits: On each picture. One of more pixels is not decoded, and a process that takes longer is ended.
    """

    def __init__(self, count: int, limits: Limits = USUAL) -> None:
        self._idle: queue.SimpleQueue[_Codec] = queue.SimpleQueue()
        self._all = [_Codec(limits) for _ in range(count)]
        for codec in self._all:
            self._idle.put(codec)

    def __enter__(self) -> Codecs:
        return self

    def __exit__(self, *error: object) -> None:
        for codec in self._all:
            codec.close()

    def stop(self) -> None:
        """Ends what is in hand, which raises :class:`StoppedError`."""
        for codec in self._all:
            codec.stop()

    def read(self, path: Path, data: bytes | None = None) -> Picture:
        """See :func:`~wm_lightning.inference.pictures.read_picture`.

        Raises:
            UserError: As there.
            UnreadableError: Or the process died of it.
            TooLargeError: Or it took too long.
            StoppedError: Or it was told to stop.
        """
        with self._taken() as codec:
            try:
                picture: Picture = codec.call(read_picture, path, *([] if data is None else [data]))
            except _DiedError as error:
                raise UnreadableError(f"{path} cannot be read: decoding it ended with {error}.") from error
            except _LateError as error:
                raise TooLargeError(f"{path} cannot be read: decoding it takes more than {error}.") from error
        return picture

    def encode(
        self, picture: Picture, pixels: Pixels, suffix: str, further: Sequence[Pixels] = ()
    ) -> tuple[bytes, list[str]]:
        """See :func:`~wm_lightning.inference.encoding.encode_picture`.

        Raises:
            UserError: As there; the message lacks the file's name.
            UnsupportedError: Or the process died of it; likewise.
            TooLargeError: Or it took too long; likewise.
            StoppedError: Or it was told to stop.
        """
        if picture.format not in OF_BEFORE:
            picture = replace(_lighter(picture), further=tuple(map(_lighter, picture.further)))
        with self._taken() as codec:
            try:
                encoded: tuple[bytes, list[str]] = codec.call(encode_picture, picture, pixels, suffix, further)
            except _DiedError as error:
                raise UnsupportedError(f"cannot be written as {suffix}: encoding it ended with {error}.") from error
            except _LateError as error:
                raise TooLargeError(f"cannot be written as {suffix}: encoding it takes more than {error}.") from error
        return encoded

    @contextmanager
    def _taken(self) -> Iterator[_Codec]:
        codec = self._idle.get()
        try:
            yield codec
        finally:
            self._idle.put(codec)


def _lighter(picture: Picture) -> Picture:
    """Returns a picture without pixels that are not looked at where it is written."""
    return replace(picture, pixels=NOTHING, stored=NOTHING) if picture.stored is picture.pixels else picture


class StoppedError(Exception):
    """A call was ended since nobody waits for it any more, see :meth:`Codecs.stop`."""


class _DiedError(Exception):
    """A process died; the message says of what."""


class _LateError(Exception):
    """A process took too long; the message says than what."""


class _Codec:
    """One process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = _started(limits)
        self._ready = self._stopped = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - of any function
        """Calls a function of a module there; what it raises is raised here."""
        self._process = self._process or _started(self.limits)
        self._wait_until_ready(self._process)
        late = threading.Event()
        # Ended from beside, since a pipe that is read from cannot be told to wait so long and no longer everywhere.
        seconds = min(60 * self.limits.minutes, threading.TIMEOUT_MAX)
        timer = threading.Timer(seconds, _end_late, (self._process, late))
        timer.daemon = True
        timer.start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            _send(self._process.stdin, (function, arguments))
            returned, value = _receive(self._process.stdout)
        except (OSError, EOFError) as error:
            stopped, cause = self._stopped, _cause(self._end())
            if late.is_set():
                raise _LateError(f"{self.limits.minutes:g} minutes") from error
            raise StoppedError if stopped else _DiedError(cause) from error
        except BaseException:  # interrupted half way: what comes next would be of this call
            self._end()
            raise
        finally:
            timer.cancel()
        if returned:
            return value
        raise value

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Waits until a process has imported what it needs, which takes no time of a picture's."""
        assert process.stdout is not None
        with suppress(OSError, EOFError):  # it died, which the call tells
            if not self._ready:
                _receive(process.stdout)
        self._ready = True

    def stop(self) -> None:
        """Ends a call, of another thread."""
        process = self._process
        if process is not None:
            self._stopped = True
            process.kill()

    def close(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._end()

    def _end(self) -> int:
        process, self._process, self._ready, self._stopped = self._process, None, False, False
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(OSError):  # of what was still to be sent
                pipe.close()
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _end_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def serve(megapixels: float, gigabytes: float | None) -> None:
    """Answers calls from the standard input on the standard output until there are no more, within limits."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the command is interrupted, and ends this one
        signal.signal(number, signal.SIG_IGN)
    limit_pixels(megapixels)
    if gigabytes is not None:
        limit_memory(gigabytes)
    calls, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may print there
    _send(answers, "ready")
    while True:
        try:
            function, arguments = _receive(calls)
        except EOFError:
            return
        try:
            answer = True, function(*arguments)
        except UserError as error:
            answer = False, error
        except MemoryError:
            answer = False, TooLargeError(f"{_named(arguments)}needs more memory than it may have; reduce it first.")
        except Exception as error:  # of the many kinds that decoders raise; the picture failed, the others go on
            answer = False, UserError(f"{_named(arguments)}failed: {type(error).__name__}: {error}.")
        del arguments
        _send(answers, answer)
        del answer


def _named(arguments: tuple[Any, ...]) -> str:
    return f"{arguments[0]} " if isinstance(arguments[0], Path) else ""


def _started(limits: Limits) -> subprocess.Popen[bytes]:
    program = PROGRAM.format(sys.path, limits.megapixels, limits.gigabytes)
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL  # C libraries complain of files that are fine
    return subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=nowhere)


def _cause(status: int) -> str:
    try:
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    except ValueError:
        return f"signal {-status}"


def _send(stream: IO[bytes], value: object) -> None:
    """Sends a value; its arrays beside it, so that they are not copied."""
    arrays: list[pickle.PickleBuffer] = []
    parts = [memoryview(pickle.dumps(value, protocol=5, buffer_callback=arrays.append))]
    parts += [array.raw() for array in arrays]
    stream.write(NUMBER.pack(len(parts)) + b"".join(NUMBER.pack(part.nbytes) for part in parts))
    for part in parts:
        stream.write(part)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:  # noqa: ANN401 - whatever was sent
    """Receives a value.

    Raises:
        EOFError: The other side has ended.
    """
    (count,) = NUMBER.unpack(_exactly(stream, NUMBER.size))
    lengths = [NUMBER.unpack(_exactly(stream, NUMBER.size))[0] for _ in range(count)]
    value, *arrays = (_exactly(stream, length) for length in lengths)
    return pickle.loads(value, buffers=arrays)


def _exactly(stream: IO[bytes], length: int) -> bytearray:
    data = bytearray(length)
    view, at = memoryview(data), 0
    while at < length:
        count = stream.readinto(view[at:])  # type: ignore[attr-defined]  # which binary streams have
        if not count:
            raise EOFError
        at += count
    return data
