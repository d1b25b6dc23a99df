"""``app.json``: the app's version, its parts, and the hash of every file."""

# No "from __future__ import annotations": msgspec would compile each again.
import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from edge_runtime.bundle.strict_json import Strict

APP_FILE = "app.json"
SERVICE_WORKER = "sw.js"

UNLISTED = (APP_FILE, SERVICE_WORKER)
"""Not in the list of files: it cannot contain itself, and the browser updates the other on its own."""


class FileEntry(Strict, frozen=True):
    """One file of the app."""

    sha256: str
    bytes: int


class EnginePart(Strict, frozen=True):
    """The engine: ``litertjs``, its version, and which of its builds."""

    name: str
    version: str
    build: str


class JpegPart(Strict, frozen=True):
    """The app's own JPEG decoder."""

    name: str
    version: str


class App(Strict, frozen=True):
    """The app's table of contents.

    Attributes:
        schema_version: 1.
        name: The bundle's name.
        version: See :func:`version_of`.
        made_by: ``snapship`` and its version.
        artifact: The kind inside.
        engine: What runs it.
        jpeg: The decoder for browsers whose own differs.
        files: All but :data:`UNLISTED`, by path.
    """

    schema_version: Literal[1]
    name: str
    version: str
    made_by: str
    artifact: str
    engine: EnginePart
    jpeg: JpegPart
    files: dict[str, FileEntry]


def file_entries(files: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """The list of files, sorted by path."""
    return {
        path: FileEntry(hashlib.sha256(data).hexdigest(), len(data))
        for path, data in sorted(files.items())
        if path not in UNLISTED
    }


def version_of(entries: Mapping[str, FileEntry]) -> str:
    """The app's version: the sha256 over one line ``PATH SHA256`` per file, sorted by path.

    Args:
        entries: The files.

    Returns:
        64 hex digits; the same files give the same version, on any day.
    """
    lines = "".join(f"{path} {entry.sha256}\n" for path, entry in sorted(entries.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def listed_files(data: bytes) -> frozenset[str]:
    """The files of an app, :data:`UNLISTED` included; none if this is no ``app.json`` of snapship.

    Args:
        data: An ``app.json`` of any version of the schema, or any other file.
    """
    try:
        found = msgspec.json.decode(data, type=_Made)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return frozenset()
    return frozenset((*found.files, *UNLISTED)) if found.made_by.startswith("snapship ") else frozenset()


class _Made(msgspec.Struct):
    """What every past and future ``app.json`` has."""

    schema_version: int
    made_by: str
    files: dict[str, msgspec.Raw]
