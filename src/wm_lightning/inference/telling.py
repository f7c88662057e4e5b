"""What a command prints, to streams that may be closed, or have no letter for what is to be said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console


class LastingStream:
    """A text stream for :class:`rich.console.Console` that never fails: pictures are more than what is said of them.

    Letters that it has no code for become escapes; what is written after its reader has gone, or its disk was full, is
    lost.

    Attributes:
        failure: Why something was lost that nobody had ceased to read; None where all was written.

    Args:
        stream: ``sys.stdout`` or ``sys.stderr``; None where it was closed before the command began.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.failure: str | None = None
        self.stream = stream or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the command ends

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Writes what can be written."""
        encoding = self.stream.encoding or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Writes what is left, if it can."""
        try:
            self.stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.failure = error.strerror
        # Python writes what is left once more when it ends, and would fail then.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)


def console(stream: TextIO | None) -> Console:
    """Returns a console whose stream lasts."""
    return Console(file=LastingStream(stream))  # type: ignore[arg-type]  # as much of a stream as it asks for


def say(to: Console, words: str) -> None:
    """Prints a line, in which a file's name is what it is, but for what cannot be printed or would end the line."""
    to.print(readable(words), markup=False, highlight=False, soft_wrap=True, emoji=False)


def readable(words: str) -> str:
    r"""Returns words in which control characters, and bytes of names that are no text, are escapes such as ``\n``."""
    text = os.fsencode(words).decode("utf-8", "backslashreplace") if os.name == "posix" else words
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )
