"""Sources of image files: a folder on disk, or the members of a zip, which is never unpacked."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Protocol

from edge_runtime.common.errors import DataError, reason_of
from edge_runtime.dataset.layout import IMAGE_SUFFIXES, is_ignored

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
# RuntimeError includes NotImplementedError: a compression that zipfile does not know.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError)

_SAYS_UTF8 = 0x800
"""Bit 11 of a zip member's flags (APPNOTE.TXT 4.4.4): its name is UTF-8."""

_UNICODE_PATH = 0x7075

_MOST_LINKS = 100
"""Times that a folder may be reached through links: mutual links give infinitely many paths."""


class Files(Protocol):
    """Files below one root, by relative path with ``/``."""

    source: str
    folder: str
    """The folder of the files, or where the archive would be unpacked."""

    def listing(self) -> tuple[list[str], list[str]]:
        """Paths of all files and of all folders, sorted, without hidden ones."""
        ...

    def size(self, ref: str) -> int:
        """Size in bytes; raises DataError if the file does not exist."""
        ...

    def read(self, ref: str, limit: int = -1) -> bytes:
        """The first ``limit`` bytes, or all; raises DataError on failure."""
        ...


def looks_like_image(files: Files, ref: str) -> bool:
    """Whether a file claims to be an image, by its suffix or its first bytes.

    Args:
        files: The source of the file.
        ref: The file.
    """
    suffix = PurePosixPath(ref).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix and not suffix[1:].isdigit():
        return False
    try:
        head = files.read(ref, 16)
    except DataError:
        return False
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


class DiskFiles:
    """A folder on disk; links are followed, except to a parent of their own."""

    def __init__(self, root: Path) -> None:
        """Keeps the path.

        Args:
            root: An existing folder.
        """
        self.root = root
        self.source = self.folder = str(root)

    def listing(self) -> tuple[list[str], list[str]]:
        """Paths of all files and of all folders, sorted, without hidden ones."""
        files: list[str] = []
        folders: list[str] = []
        # Real paths of a folder and of those it was reached through.
        chains = {str(self.root): frozenset({os.path.realpath(self.root)})}
        reached: Counter[str] = Counter()

        def is_new(place: str, name: str) -> bool:
            path = os.path.join(place, name)
            real = os.path.realpath(path)
            reached[real] += 1
            if real in chains[place] or reached[real] > _MOST_LINKS:
                return False
            chains[path] = chains[place] | {real}
            return True

        def refuse(error: OSError) -> None:
            raise DataError(
                f"A folder must be readable. Received: {error.filename} ({error.strerror}). "
                "Check its permissions."
            ) from error

        for place, names, leaves in os.walk(self.root, onerror=refuse, followlinks=True):
            names[:] = [name for name in sorted(names) if not is_ignored([name]) and is_new(place, name)]
            base = PurePosixPath(Path(place).relative_to(self.root).as_posix())
            folders += [str(base / name) for name in names]
            files += [str(base / name) for name in leaves if not is_ignored([name])]
        return sorted(files), sorted(folders)

    def size(self, ref: str) -> int:
        """Size in bytes; raises DataError if the file does not exist."""
        try:
            found = (self.root / ref).stat()
            # Reading a pipe or a device might never end.
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("not a regular file")
            return found.st_size
        except (OSError, ValueError) as error:
            raise _unreadable(str(self.root / ref), error) from error

    def read(self, ref: str, limit: int = -1) -> bytes:
        """The first ``limit`` bytes, or all; raises DataError on failure."""
        self.size(ref)
        try:
            with (self.root / ref).open("rb") as file:
                return file.read(limit)
        except (OSError, ValueError) as error:
            raise _unreadable(str(self.root / ref), error) from error


class ZipFiles:
    """Members of a zip, read where they are."""

    def __init__(self, path: Path) -> None:
        """Opens the archive and indexes it.

        Args:
            path: An existing file.

        Raises:
            DataError: It is not a zip, or the path of a member leaves the archive.
        """
        self.source, self.folder = str(path), str(path.with_suffix(""))
        try:
            # Stays open while the set is in use; reading members is thread-safe.
            self._archive = zipfile.ZipFile(path)
            infos = self._archive.infolist()
        except _ZIP_ERRORS as error:
            raise DataError(
                f"A .zip must be an intact zip archive. Received: {path} ({error}). Zip the folder again."
            ) from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._folders: set[str] = set()
        self.unsure: dict[str, bytes] = {}
        """Names with an unknown code page, as displayed, and their bytes."""

        for info in infos:
            self._index(info)

    def _index(self, info: zipfile.ZipInfo) -> None:
        name, raw = _member_name(info)
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or (parts and ":" in parts[0]):
            raise DataError(
                f"A zip's paths must stay inside it. Received: {info.filename!r} in {self.source}. "
                "Zip the folder again."
            )
        if not parts or is_ignored(parts) or stat.S_ISLNK(info.external_attr >> 16):
            return
        if raw:
            originals = [part.encode("latin-1") for part in parts]
            parts = tuple(part.decode("ascii", "backslashreplace") for part in originals)
            self.unsure |= {
                part: original for part, original in zip(parts, originals, strict=True) if "\\x" in part
            }
        if info.is_dir():
            self._folders.add("/".join(parts))
        else:
            self._members["/".join(parts)] = info

    def listing(self) -> tuple[list[str], list[str]]:
        """Paths of all files and of all folders, sorted, without hidden ones."""
        return sorted(self._members), sorted(self._folders)

    def size(self, ref: str) -> int:
        """Size in bytes; raises DataError if the member does not exist."""
        if ref not in self._members:
            raise DataError(f"A file must be in the zip. Received: {ref} not in {self.source}. Check it.")
        return self._members[ref].file_size

    def read(self, ref: str, limit: int = -1) -> bytes:
        """The first ``limit`` bytes, or all; raises DataError on failure."""
        # The size in the header may be wrong: never read more than it says.
        most = self.size(ref) if limit < 0 else limit
        try:
            with self._archive.open(self._members[ref]) as member:
                return member.read(most)
        except _ZIP_ERRORS as error:
            raise _unreadable(f"{ref} in {self.source}", error) from error


def _member_name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """A member's name with ``/``, and whether its bytes are shown because no code page is certain.

    Then each character is one byte of it: PKZIP says that it is cp437, but Windows writes the code
    page of its language, and the wrong one gives other letters without an error.
    """
    if info.flag_bits & _SAYS_UTF8:
        return info.filename.replace("\\", "/"), False
    # zipfile decoded them as cp437, which is reversible; a name ends at a zero byte.
    original = info.orig_filename.encode("cp437", "replace").partition(b"\0")[0]
    try:
        return (_unicode_path(info, original) or original.decode("utf-8")).replace("\\", "/"), False
    except UnicodeDecodeError:
        # A backslash may be the second byte of a letter, as in Japanese.
        slashes = original if b"/" in original else original.replace(b"\\", b"/")
        return slashes.decode("latin-1"), True


def _unicode_path(info: zipfile.ZipInfo, raw: bytes) -> str:
    """The UTF-8 name that Info-ZIP and 7-Zip write beside the one in a code page; else empty."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        # Version 1 and the checksum of the other name (APPNOTE.TXT 4.6.9).
        if kind == _UNICODE_PATH and body[:5] == struct.pack("<BI", 1, zlib.crc32(raw)):
            return body[5:].decode("utf-8")
    return ""


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"An image file must be readable. Received: {name} ({reason_of(error)}). Check or replace it."
    )
