"""Where a bundle's files lie: a folder or a zip, neither trusted."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from edge_runtime.errors import BundleError
from edge_runtime.manifest import MANIFEST_FILE
from edge_runtime.quoting import quoted, shortened

if TYPE_CHECKING:
    import zipfile

MAX_ENTRIES = 10_000
"""Files in a zip bundle; an export makes about thirty."""

MAX_UNPACKED_BYTES = 8_000_000_000
"""All files of a zip bundle together, as its directory says."""

MAX_RATIO = 200
"""Unpacked to packed size of a file over a megabyte; weights reach 4, JSON 20, a bomb 1000."""

MAX_NAME = 1_000
"""Characters of a file's path inside a bundle; systems take 255 to 4,096."""

_RATIO_FROM_BYTES = 1_000_000


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
        BundleError: It is absolute, empty, too long, or has ``..``, a backslash, a drive, or a character that
            does not print: a line break in a name would forge a line of a log.
    """
    path = PurePosixPath(file)
    if (
        not 0 < len(file) <= MAX_NAME
        or path.is_absolute()
        or ".." in path.parts
        or not path.parts
        or any(sign in file for sign in ("\\", ":", "\0"))
        or not file.isprintable()
    ):
        raise BundleError(
            f"A bundle's file must lie inside the bundle. Received: {quoted(file)}. "
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


def _reason(error: Exception) -> str:
    return shortened(error, 200) or type(error).__name__


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
                f"A bundle's file must lie inside the bundle. Received: {quoted(file)}, a link to "
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
        # Here, since a folder's first answer would wait for it, and for the compressors that it brings.
        import zipfile

        self._location = path
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except Exception as error:
            # The module meets damaged bytes with exceptions of many kinds, struct.error among them.
            raise BundleError(
                f"A bundle must be a folder or a zip. Received: {path} ({_reason(error)}). "
                "Pass the folder that holds manifest.json."
            ) from error
        self._entries = self._index(infos)

    def _index(self, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        import unicodedata

        total = sum(info.file_size for info in infos)
        if len(infos) > MAX_ENTRIES or total > MAX_UNPACKED_BYTES:
            raise BundleError(
                f"A zip bundle must hold at most {MAX_ENTRIES:,} files of {MAX_UNPACKED_BYTES:,} bytes in all. "
                f"Received: {len(infos):,} of {total:,} in {self._location}. Do not use this bundle."
            )
        self._refuse_overlaps(infos)
        entries: dict[str, zipfile.ZipInfo] = {}
        folded: set[str] = set()
        for info in infos:
            # The module ends a name at its first null byte; orig_filename has all of it.
            name = str(check_inside(info.orig_filename))
            if info.is_dir() or name.startswith("__MACOSX/"):
                continue
            self._check_entry(name, info)
            # One file on a disk that folds case or composes accents: which of two would it be?
            key = unicodedata.normalize("NFC", name).casefold()
            if key in folded:
                raise BundleError(
                    f"A zip bundle must hold each name once. Received: {name} twice in "
                    f"{self._location}. Zip the folder again."
                )
            folded.add(key)
            entries[name] = info
        if MANIFEST_FILE not in entries:
            tops = {name.split("/", 1)[0] for name in entries}
            if len(tops) == 1 and f"{(top := tops.pop())}/{MANIFEST_FILE}" in entries:
                return {name.removeprefix(f"{top}/"): info for name, info in entries.items()}
        return entries

    def _check_entry(self, name: str, info: zipfile.ZipInfo) -> None:
        """Refuses what is no plain file, cannot be read, or unpacks to far more than it is."""
        import zipfile

        kind = stat.S_IFMT(info.external_attr >> 16)
        if stat.S_ISLNK(kind):
            problem = "no links"
        elif kind not in (0, stat.S_IFREG):
            problem = "plain files alone"
        elif info.flag_bits & 1:
            problem = "no encrypted files"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = "files that are stored or deflated"
        elif info.file_size > max(_RATIO_FROM_BYTES, MAX_RATIO * info.compress_size):
            problem = f"files packed to at least 1/{MAX_RATIO}"
        else:
            return
        raise BundleError(
            f"A zip bundle must hold {problem}. Received: {name} in {self._location}. "
            "Zip the files themselves, as any zip program does."
        )

    def _refuse_overlaps(self, infos: list[zipfile.ZipInfo]) -> None:
        """Two files made of the same bytes are how small zips become endless."""
        end = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise BundleError(
                    f"A zip bundle's files must lie one after the other. Received: {quoted(info.filename)} inside "
                    f"another in {self._location}. Do not use this bundle."
                )
            end = info.header_offset + info.compress_size

    def path(self, file: str) -> Path | None:
        """See :class:`Store`."""
        return None

    def has(self, file: str) -> bool:
        """See :class:`Store`."""
        return str(check_inside(file)) in self._entries

    def read(self, file: str, limit_bytes: int) -> bytes:
        """See :class:`Store`."""
        import zipfile

        info = self._entries.get(str(check_inside(file)))
        if info is None:
            raise _missing(file, self._location)
        if info.file_size > limit_bytes:
            raise _too_large(file, self._location, info.file_size, limit_bytes)
        try:
            with zipfile.ZipFile(self._location) as archive, archive.open(info) as member:
                # The header's size may lie: never take more than the limit.
                data = member.read(limit_bytes + 1)
        except Exception as error:
            raise BundleError(
                f"A zip bundle must be undamaged. Received: {file} in {self._location} "
                f"({_reason(error)}). Copy the bundle again."
            ) from error
        if len(data) > limit_bytes:
            raise _too_large(file, self._location, len(data), limit_bytes)
        return data
