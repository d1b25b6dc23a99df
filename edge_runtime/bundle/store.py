"""Storage of a bundle: a folder or a zip, neither of them trusted."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.common.errors import BundleError, reason_of
from edge_runtime.common.text import quoted, shortened

if TYPE_CHECKING:
    import zipfile

MAX_ENTRIES = 10_000
"""Maximum files in a zip bundle; an export has about thirty."""

MAX_UNPACKED_BYTES = 8_000_000_000
"""Maximum size of all files of a zip bundle together, according to its directory."""

MAX_RATIO = 200
"""Maximum compression ratio of a file over a megabyte; weights reach 4, JSON 20, a zip bomb 1000."""

MAX_NAME = 1_000
"""Maximum characters of a path inside a bundle; systems allow 255 to 4,096."""

_RATIO_FROM_BYTES = 1_000_000


class Store(Protocol):
    """Storage of a bundle's files."""

    def read(self, file: str, limit_bytes: int) -> bytes:
        """Returns the content of a file; raises BundleError if it is missing or longer than that."""
        ...

    def path(self, file: str) -> Path | None:
        """Returns the path of an existing file on disk; None inside a zip."""
        ...

    def has(self, file: str) -> bool:
        """Whether the file exists."""
        ...


def check_inside(file: str) -> PurePosixPath:
    """Validates a path relative to the bundle.

    Args:
        file: A path as written in a manifest or zip.

    Raises:
        BundleError: It is absolute, empty, too long, or contains ``..``, a backslash, a drive, or an
            unprintable character, such as a line break that would forge a line of a log.
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
    """The error for a file that exists but cannot be read."""
    return BundleError(
        f"A bundle's file must be readable. Received: {path} ({reason_of(error)}). "
        "Check its name and permissions."
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
        # Here, since it and the compressors it imports would delay the first prediction from a folder.
        import zipfile

        self._location = path
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except Exception as error:
            # The module raises many kinds of exceptions on damaged bytes, such as struct.error.
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
            # The module cuts a name at its first null byte; orig_filename is complete.
            name = str(check_inside(info.orig_filename))
            if info.is_dir() or name.startswith("__MACOSX/"):
                continue
            self._check_entry(name, info)
            # On a disk that ignores case or composes accents, both would be one file.
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
        """Rejects entries that are not plain files, cannot be read, or are zip bombs."""
        import zipfile

        kind = stat.S_IFMT(info.external_attr >> 16)
        if stat.S_ISLNK(kind):
            problem = "no links"
        elif kind not in (0, stat.S_IFREG):
            problem = "only plain files"
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
            "Create it with an ordinary zip program."
        )

    def _refuse_overlaps(self, infos: list[zipfile.ZipInfo]) -> None:
        """Overlapping entries are how a small zip unpacks to endless data."""
        end = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise BundleError(
                    f"Files in a zip bundle must not overlap. Received: {quoted(info.filename)} inside "
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
                # The size in the header may be wrong: never read more than the limit.
                data = member.read(limit_bytes + 1)
        except Exception as error:
            raise BundleError(
                f"A zip bundle must be intact. Received: {file} in {self._location} "
                f"({_reason(error)}). Copy the bundle again."
            ) from error
        if len(data) > limit_bytes:
            raise _too_large(file, self._location, len(data), limit_bytes)
        return data
