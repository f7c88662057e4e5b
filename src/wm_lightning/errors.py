"""What is shown to the user as a sentence instead of a stack trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

_FIELD = re.compile(r"\{([\w.]*)\}(=?)")


class UserError(Exception):
    """Something the user can put right.

    The message is one sentence that names the file or argument and says what to do.
    """

    def worded(self, name: Callable[[str], str], joint: str = "=") -> str:
        """Returns the sentence for users who know arguments by other names: keys of a configuration, or flags.

        Args:
            name: Takes an argument's name, returns the other one.
            joint: What stands between another name and a value.
        """
        return str(self)


class UnreadableError(UserError):
    """A picture's file is not there, empty, damaged or cut short, or crashes what reads it."""


class UnsupportedError(UserError):
    """A picture is of a kind that is not taken, or that the format to write cannot hold."""


class TooLargeError(UserError):
    """A picture has, or takes, more than it may: pixels, memory or time."""


class NamingError(UserError):
    """One whose sentence names arguments, so that a command can put its keys or flags in their places.

    Args:
        sentence: Arguments stand in braces, ``{depth}``, or ``{optimizer.lr}`` where several may have one of that name;
            values are left open, ``{}``.
        *values: What stands in the open places, in their order.
    """

    def __init__(self, sentence: str, *values: object) -> None:
        super().__init__(sentence, *values)

    def __str__(self) -> str:
        return self.worded(_alone)

    def worded(self, name: Callable[[str], str], joint: str = "=") -> str:
        """See :meth:`UserError.worded`."""
        sentence, *values = self.args
        left = iter(values)

        def filled(field: re.Match[str]) -> str:
            if not field[1]:
                return str(next(left, "{}")) + field[2]
            other = name(field[1])
            return other + (joint if field[2] and other != _alone(field[1]) else field[2])

        return _FIELD.sub(filled, sentence)


class ArgumentError(NamingError, ValueError):
    """A value given to an argument does not fit: ``ArgumentError("{depth}={} must be at least {}.", depth, 3)``."""


class OtherLengthError(NamingError):
    """A run that goes on would have another number of steps than its schedule was made for."""


def named(name: object, error: UserError) -> UserError:
    """Returns an error of the same kind whose sentence begins with what it is about, as a file's name."""
    kind = UserError if isinstance(error, NamingError) else type(error)
    return kind(f"{name} {error}")


@contextmanager
def naming(argument: str) -> Iterator[None]:
    """Names the argument that refuses what it was given, where the code of others refuses without a name.

    Raises:
        ArgumentError: It does.
    """
    try:
        yield
    except ArgumentError:
        raise
    except (TypeError, ValueError) as error:
        raise ArgumentError("{" + argument + "}: {}", error) from error


@contextmanager
def writable(place: Path) -> Iterator[None]:
    """Says in a sentence that a place which somebody chose cannot be written to.

    Args:
        place: What is written inside.

    Raises:
        UserError: The system refuses it: the folder may not be written to, the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{place} cannot be written: {error.strerror or error}; give another place.") from error


def with_flags(error: UserError, options: Container[str], **others: str) -> str:
    """Returns an error's sentence, in which a command's flags stand for the arguments that it names.

    Args:
        error: Of what the command called.
        options: Names of the command's options: ``vars`` of argparse's ``Namespace``.
        **others: Flags that are not called like the argument: ``path="-o"``.
    """

    def flag(name: str) -> str:
        alone = _alone(name)
        return others.get(alone) or (f"--{alone.replace('_', '-')}" if alone in options else alone)

    return error.worded(flag, joint=" ")


def _alone(name: str) -> str:
    return name.rpartition(".")[2]
