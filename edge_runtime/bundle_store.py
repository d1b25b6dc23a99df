"""Where a bundle's files lie: a folder or a zip, neither trusted."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

from edge_runtime.errors import BundleError
from edge_runtime.manifest import MANIFEST_FILE


class Store(Protocol):
    """Where a bundle's files lie."""

    def read(self, file: str, limit_bytes: int) -> bytes:
        """Returns a file's content, at most that long, or raises BundleError."""
        ...

    def path(self, file: str) -> Path | None:
        """Returns where an existing file lies on disk, None inside a zip."""
        ...

    def has(self, file: str) -> bool:
        """Whether there is such a file."""
        ...


def check_inside(file: str) -> PurePosixPath:
    """Returns a bundle-relative path if it cannot leave the bundle.

    Args:
        file: A path as written in a manifest or zip.

    Raises:
        BundleError: It is absolute, empty, or has ``..``, a backslash, a drive or a null byte.
    """
    path = PurePosixPath(file)
    if (
        not file
        or path.is_absolute()
        or ".." in path.parts
        or not path.parts
        or any(sign in file for sign in ("\\", ":", "\0"))
    ):
        raise BundleError(
            f"A bundle's file must lie inside the bundle. Received: {file!r}. "
            "Do not use this bundle; export it again."
        )
    return path


def _missing(file: str, location: Path) -> BundleError:
    return BundleError(
        f"A bundle must hold {file}. Received: {location} without it. "
        "Check the path, or make one with: snapship export RUN --out BUNDLE"
    )


def unreadable(path: Path, error: Exception) -> BundleError:
    """The error for a file that is there and cannot be read."""
    reason = getattr(error, "strerror", None) or str(error)
    return BundleError(
        f"A bundle's file must be readable. Received: {path} ({reason}). Check its name and permissions."
    )


def _too_large(file: str, location: Path, size: int, limit: int) -> BundleError:
    return BundleError(
        f"{file} must have at most {limit:,} bytes. Received: {size:,} in {location}. "
        "Copy the bundle again or export again."
    )


class FolderStore:
    """Files in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, file: str) -> Path | None:
        """See :class:`Store`."""
        path = self._root / check_inside(file)
        try:
            inside = path.resolve(strict=True).is_relative_to(self._root.resolve())
        except (OSError, RuntimeError) as error:
            raise _missing(file, self._root) from error
        if not inside:
            raise BundleError(
                f"A bundle's file must lie inside the bundle. Received: {file!r}, a link to "
                f"{path.resolve()}. Copy the file itself."
            )
        if not path.is_file():
            raise _missing(file, self._root)
        return path

    def has(self, file: str) -> bool:
        """See :class:`Store`."""
        return (self._root / check_inside(file)).is_file()

    def read(self, file: str, limit_bytes: int) -> bytes:
        """See :class:`Store`."""
        path = self.path(file)
        assert path is not None
        try:
            size = path.stat().st_size
            if size > limit_bytes:
                raise _too_large(file, self._root, size, limit_bytes)
            return path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from error


class ZipStore:
    """Files in a zip; nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        self._location = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._entries = self._index(archive.infolist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise BundleError(
                f"A bundle must be a folder or a zip. Received: {path} ({error}). "
                "Pass the folder that holds manifest.json."
            ) from error

    def _index(self, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        entries: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = str(check_inside(info.filename))
            if info.is_dir() or name.startswith("__MACOSX/"):
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                raise BundleError(
                    f"A zip bundle must hold no links. Received: {name} in {self._location}. "
                    "Zip the files themselves."
                )
            if name in entries:
                raise BundleError(
                    f"A zip bundle must hold each name once. Received: {name} twice in "
                    f"{self._location}. Zip the folder again."
                )
            entries[name] = info
        if MANIFEST_FILE not in entries:
            tops = {name.split("/", 1)[0] for name in entries}
            if len(tops) == 1 and f"{(top := tops.pop())}/{MANIFEST_FILE}" in entries:
                return {name.removeprefix(f"{top}/"): info for name, info in entries.items()}
        return entries

    def path(self, file: str) -> Path | None:
        """See :class:`Store`."""
        return None

    def has(self, file: str) -> bool:
        """See :class:`Store`."""
        return str(check_inside(file)) in self._entries

    def read(self, file: str, limit_bytes: int) -> bytes:
        """See :class:`Store`."""
        info = self._entries.get(str(check_inside(file)))
        if info is None:
            raise _missing(file, self._location)
        if info.file_size > limit_bytes:
            raise _too_large(file, self._location, info.file_size, limit_bytes)
        try:
            with zipfile.ZipFile(self._location) as archive, archive.open(info) as member:
                # The header's size may lie: never take more than the limit.
                data = member.read(limit_bytes + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise BundleError(
                f"A zip bundle must be undamaged. Received: {file} in {self._location} "
                f"({error}). Copy the bundle again."
            ) from error
        if len(data) > limit_bytes:
            raise _too_large(file, self._location, len(data), limit_bytes)
        return data
