"""Where photos come from: this disk, or S3 by pyarrow's own client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from edge_runtime.common.errors import DataError, EnvironmentMissingError, UsageError, first_line, reason_of
from edge_runtime.score.arrow import file_systems

S3 = "s3://"

_CREDENTIALS = ("ACCESS_DENIED", "credential", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch")


class Storage:
    """Reads files by path or ``s3://`` address. Made anew in each process."""

    def __init__(self, s3_endpoint: str | None = None) -> None:
        """Keeps the endpoint; nothing is opened yet.

        Args:
            s3_endpoint: Address of another server that speaks S3, such as ``http://127.0.0.1:9000``.

        Raises:
            UsageError: It is not an http address.
        """
        if s3_endpoint is not None:
            parts = urlsplit(s3_endpoint)
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise UsageError(
                    f"--s3-endpoint must be an address. Received: {s3_endpoint}. Pass one like http://127.0.0.1:9000."
                )
        self.s3_endpoint = s3_endpoint

    @cached_property
    def s3(self) -> Any:
        """The S3 file system of pyarrow, with the credentials and region of the environment.

        Raises:
            EnvironmentMissingError: pyarrow is not installed.
        """
        module = file_systems()
        if self.s3_endpoint is None:
            return module.S3FileSystem()
        parts = urlsplit(self.s3_endpoint)
        return module.S3FileSystem(endpoint_override=parts.netloc, scheme=parts.scheme)

    def listing(self, address: str) -> Iterator[tuple[str, int]]:
        """Lists the objects of a prefix, or the one object of that name.

        Args:
            address: ``s3://bucket/prefix``.

        Yields:
            Addresses and sizes in bytes, sorted by address.

        Raises:
            DataError: The bucket or prefix does not exist or cannot be read.
            EnvironmentMissingError: There are no credentials for it.
        """
        module = file_systems()
        place = address.removeprefix(S3).rstrip("/")
        with _named(address):
            found = self.s3.get_file_info(place)
            if found.type == module.FileType.NotFound:
                raise DataError(f"A bucket or prefix must exist. Received: {address}. Check the address.")
            if found.type == module.FileType.File:
                yield address, found.size
                return
            entries = [
                (entry.path, entry.size)
                for entry in self.s3.get_file_info(module.FileSelector(place, recursive=True))
                if entry.type == module.FileType.File
            ]
        for path, size in sorted(entries):
            yield f"{S3}{path}", size

    def opened(self, name: str) -> Any:
        """Opens a file for reading at any place, as a context manager.

        Args:
            name: Path or address.

        Raises:
            DataError: It does not exist or cannot be read.
        """
        with _named(name):
            if name.startswith(S3):
                return self.s3.open_input_file(name.removeprefix(S3))
            return open(name, "rb")

    def size(self, name: str) -> int:
        """Size of a file in bytes; raises DataError if it cannot be looked up."""
        with _named(name):
            if name.startswith(S3):
                return int(self.s3.get_file_info(name.removeprefix(S3)).size)
            return os.stat(name).st_size


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turns errors of the system and of pyarrow into one line that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:
        text = first_line(error)
        if name.startswith(S3) and any(word in text for word in _CREDENTIALS):
            raise EnvironmentMissingError(
                f"Reading {name} needs credentials that may. Received: {text}. "
                "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from error
        raise DataError(
            f"An input must be readable. Received: {name} ({reason_of(error)}). Check the name and access."
        ) from error
