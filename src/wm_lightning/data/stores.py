"""Where files lie that are read or written whole: a folder, or an S3-compatible store. boto3 speaks with the latter."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from wm_lightning.errors import UserError
from wm_lightning.extras import needing
from wm_lightning.files import replacing

S3 = "s3://"


class Store(Protocol):
    """Files by name; names have slashes, as in ``deep/a.jpg``."""

    root: str

    def names(self) -> Iterator[tuple[str, int]]:
        """Yields the name and the size in bytes of each file, in no order."""

    def read(self, name: str) -> bytes:
        """Returns a file's content."""

    def has(self, name: str) -> bool:
        """Says whether there is a file of that name."""

    def put(self, path: Path, name: str) -> None:
        """Copies a path's file into the store, whole or not at all."""


def open_store(root: str) -> Store:
    """Returns the store at an address: ``s3://BUCKET/PREFIX``, or a folder.

    Raises:
        UserError: boto3 is missing.
    """
    return S3Store(root) if root.startswith(S3) else FolderStore(root)


class FolderStore:
    """A folder, which need not be there before something is put in it."""

    def __init__(self, root: str) -> None:
        self.root = os.path.expanduser(root)  # noqa: PTH111 - pathlib refuses `~name` where there is no such user

    def names(self) -> Iterator[tuple[str, int]]:
        """Yields the name and size of each file; hidden ones are passed over."""
        for here, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                if not name.startswith("."):
                    path = Path(here, name)
                    yield path.relative_to(self.root).as_posix(), path.lstat().st_size

    def read(self, name: str) -> bytes:
        """Returns a file's content."""
        return self.path(name).read_bytes()

    def has(self, name: str) -> bool:
        """Says whether there is a file of that name, or a link."""
        return os.path.lexists(self.path(name))

    def put(self, path: Path, name: str) -> None:
        """Copies a path's file into the folder.

        Raises:
            UserError: The folder cannot be written to.
        """
        try:
            with replacing(self.path(name)) as draft:
                shutil.copyfile(path, draft)
        except OSError as error:
            raise UserError(
                f"{self.root} cannot be written to ({error.strerror}); make room there or name another folder."
            ) from error

    def path(self, name: str) -> Path:
        """Returns where a file lies."""
        return Path(self.root, name)


class S3Store:
    """A prefix in a bucket of S3, or of any server that speaks its protocol.

    Address, region and keys are found as boto3 finds them: ``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID`` and so on in the
    environment, or ``~/.aws``.

    Args:
        root: ``s3://BUCKET/PREFIX``.

    Raises:
        UserError: boto3 is missing.
    """

    def __init__(self, root: str) -> None:
        with needing(f"{root}: a store"):
            import boto3  # noqa: F401 - said at once, and not by a loader process
        self.root = root.rstrip("/")
        self.bucket, _, prefix = self.root.removeprefix(S3).partition("/")
        self.prefix = f"{prefix}/" if prefix else ""
        self._clients: dict[int, Any] = {}

    def names(self) -> Iterator[tuple[str, int]]:
        """Yields the name and size of each file; hidden ones and entries that stand for folders are passed over."""
        with self._worded():
            for page in (
                self._client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            ):
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(self.prefix)
                    if not entry["Key"].endswith("/") and not any(map(_is_hidden, name.split("/"))):
                        yield name, entry["Size"]

    def read(self, name: str) -> bytes:
        """Returns a file's content."""
        with self._worded():
            content: bytes = self._client().get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read()
        return content

    def fetch(self, name: str, path: Path) -> None:
        """Copies a file to a path, whole or not at all."""
        with self._worded(), replacing(path) as draft:
            self._client().download_file(self.bucket, self.prefix + name, str(draft))

    def has(self, name: str) -> bool:
        """Says whether there is a file of that name."""
        from botocore.exceptions import ClientError

        with self._worded():
            try:
                self._client().head_object(Bucket=self.bucket, Key=self.prefix + name)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                raise
        return True

    def put(self, path: Path, name: str) -> None:
        """Copies a path's file into the store."""
        with self._worded():
            self._client().upload_file(str(path), self.bucket, self.prefix + name)

    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its classes as it runs
        """Returns this process's client: connections that a forked process shares with others are of no use."""
        import boto3

        process = os.getpid()
        if process not in self._clients:
            notes = logging.getLogger("botocore")  # it tells where it found keys and address
            if notes.level == logging.NOTSET:
                notes.setLevel(logging.WARNING)
            self._clients[process] = boto3.session.Session().client("s3")
        return self._clients[process]

    @contextmanager
    def _worded(self) -> Iterator[None]:
        """Puts what went wrong in one sentence.

        Raises:
            UserError: The store refused, or could not be reached.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{self.root} cannot be used ({reason}); look at the address, at AWS_ENDPOINT_URL and at the keys."
            ) from error


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")
