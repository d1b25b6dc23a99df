"""Where parts go: a folder or an S3 prefix. A file is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from edge_runtime.common.atomic_file import existing_parent, replace_file, usable_path
from edge_runtime.common.errors import EnvironmentMissingError, UsageError, first_line
from edge_runtime.common.temporary import remove_abandoned, temporary_file
from edge_runtime.score.arrow import file_systems, parquet
from edge_runtime.score.storage import S3, Storage

_PROBE = ".snapship-writable"


class Destination(Protocol):
    """Files of a run's output, by name."""

    place: str

    def check(self) -> None:
        """Makes the place; raises UsageError if it cannot be written."""
        ...

    def names(self) -> list[str]:
        """Names of all files there, hidden ones aside; empty where there is no such place."""
        ...

    def read(self, name: str) -> bytes | None:
        """A small file's content; None if it is not there."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, replacing it; raises UsageError if it cannot be written."""
        ...

    def footer(self, name: str) -> dict[bytes, bytes]:
        """The metadata in the footer of a part; empty where it is damaged."""
        ...


def destination(out: str, storage: Storage) -> Destination:
    """The destination of ``--out``.

    Args:
        out: A folder, or an ``s3://`` prefix.
        storage: Opens S3.

    Raises:
        UsageError: It is another kind of address, or empty.
    """
    if out.startswith(S3):
        return Prefix(out, storage)
    if not out or "://" in out:
        raise UsageError(
            f"--out must be a folder or an s3:// prefix. Received: {out or 'an empty name'}. Pass one of them."
        )
    return Folder(Path(out))


class Folder:
    """A folder on disk; for workers on other machines, one that they share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def check(self) -> None:
        """See :class:`Destination`."""
        with usable_path(self._path, "--out", "An output's folder must be writable"):
            # Before it is made, so that a place that cannot be written keeps nothing.
            with temporary_file(existing_parent(self._path / "file")):
                pass
            self._path.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self._path)

    def names(self) -> list[str]:
        """See :class:`Destination`."""
        if not os.path.lexists(self._path):
            return []
        with usable_path(self._path, "--out", "An output must be a folder"):
            return sorted(name for name in os.listdir(self._path) if not name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """See :class:`Destination`."""
        try:
            return (self._path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """See :class:`Destination`."""
        with usable_path(self._path, "--out", "An output's folder must be writable"):
            replace_file(self._path / name, data)

    def footer(self, name: str) -> dict[bytes, bytes]:
        """See :class:`Destination`."""
        return _footer(str(self._path / name))


class Prefix:
    """Objects below a prefix. One that is not closed is never visible, so none is renamed."""

    def __init__(self, address: str, storage: Storage) -> None:
        self.place = address.rstrip("/")
        self._path = self.place.removeprefix(S3)
        self._storage = storage

    def check(self) -> None:
        """See :class:`Destination`."""
        # The first write would say it, too, but after the photos are listed.
        self.write(_PROBE, b"")
        with _writable(self.place):
            self._storage.s3.delete_file(f"{self._path}/{_PROBE}")

    def names(self) -> list[str]:
        """See :class:`Destination`."""
        module = file_systems()
        with _writable(self.place):
            selector = module.FileSelector(self._path, allow_not_found=True)
            found = [entry.base_name for entry in self._storage.s3.get_file_info(selector)]
        return sorted(name for name in found if not name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """See :class:`Destination`."""
        try:
            with self._storage.s3.open_input_file(f"{self._path}/{name}") as file:
                data: bytes = file.read()
                return data
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """See :class:`Destination`."""
        with _writable(self.place), self._storage.s3.open_output_stream(f"{self._path}/{name}") as file:
            file.write(data)

    def footer(self, name: str) -> dict[bytes, bytes]:
        """See :class:`Destination`."""
        with _writable(self.place), self._storage.s3.open_input_file(f"{self._path}/{name}") as file:
            return _footer(file)


def _footer(source: Any) -> dict[bytes, bytes]:
    import pyarrow

    try:
        return dict(parquet().read_metadata(source).metadata or {})
    except (pyarrow.ArrowException, OSError):
        return {}


@contextmanager
def _writable(place: str) -> Iterator[None]:
    """Turns pyarrow's errors into one line that names ``--out``."""
    try:
        yield
    except OSError as error:
        text = first_line(error)
        if "ACCESS_DENIED" in text or "credential" in text.lower():
            raise EnvironmentMissingError(
                f"Writing to {place} needs credentials that may. Received: {text}. "
                "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from error
        raise UsageError(
            f"An output's prefix must be writable. Received: --out {place} ({text}). Pass another --out."
        ) from error
