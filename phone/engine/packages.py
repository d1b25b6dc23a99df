"""npm packages on disk: unpacked in a folder, or as the ``.tgz`` that ``npm pack`` writes."""

from __future__ import annotations

import hashlib
import shlex
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from edge_runtime.common.atomic_file import is_there, usable_path
from edge_runtime.common.errors import UsageError, reason_of
from edge_runtime.common.text import quoted, shortened
from phone.engine.pinned import PACKAGES, Pinned

Contents: TypeAlias = dict[str, dict[str, bytes]]
"""The used files, by package and by path inside it."""

_MANIFEST = "package.json"

MAX_FILE_BYTES = 50_000_000
"""Limit of one file; the largest has 9.3 MB."""


class _Package(msgspec.Struct):
    name: str
    version: str


def read_folder(folder: Path) -> Contents:
    """Reads the packages from a folder and checks every used file.

    Args:
        folder: With ``node_modules``, itself one, with one folder per package, or with the ``.tgz``
            files of ``npm pack``.

    Raises:
        UsageError: A package is missing, has another version, or a file has another hash.
    """
    found = {}
    with usable_path(folder, "--engine", "An engine folder must be readable", refused=OSError):
        if not folder.is_dir():
            cure = "Pass a folder." if is_there(folder) else _cure(folder)
            raise UsageError(f"--engine must be a folder. Received: {folder}. {cure}")
        for pinned in PACKAGES:
            read = _unpacked(folder, pinned) or _packed(folder, pinned)
            if read is None:
                raise UsageError(
                    f"An engine folder must contain {pinned.name} {pinned.version}. "
                    f"Received: {folder} without it. {_cure(folder)}"
                )
            found[pinned.name] = checked(pinned, read, f"--engine {folder}")
    return found


def read_archives(archives: Iterable[Path], source: str) -> Contents:
    """Reads the packages from ``.tgz`` files and checks every used file.

    Args:
        archives: As ``npm pack`` writes them.
        source: Where they come from, for messages.

    Raises:
        UsageError: A package is missing, has another version, or a file has another hash.
    """
    read = {}
    for archive in archives:
        files = _read_archive(archive)
        read[_package(files.get(_MANIFEST, b""), archive).name] = files
    missing = [pinned.spec for pinned in PACKAGES if pinned.name not in read]
    if missing:
        raise UsageError(
            f"{source} must give every package. Received: none for {', '.join(missing)}. Pass --engine DIR."
        )
    return {pinned.name: checked(pinned, _reader(read[pinned.name], source), source) for pinned in PACKAGES}


def checked(pinned: Pinned, read: Callable[[str], bytes], source: str) -> dict[str, bytes]:
    """Reads the used files of one package, and checks its version and their hashes.

    Args:
        pinned: The package.
        read: Reads a file of it.
        source: Where it comes from, for messages.

    Raises:
        UsageError: It has another version, or a file is missing or has another hash.
    """
    version = _package(read(_MANIFEST), source).version
    if version != pinned.version:
        raise UsageError(
            f"The app must contain {pinned.name} {pinned.version}. Received: version {shortened(version)} from "
            f"{source}. Run: npm install --ignore-scripts {pinned.spec}"
        )
    files = {}
    for file in pinned.files:
        data = read(file.path)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UsageError(
                f"Files of {pinned.spec} must be as published. Received: another sha256 for {file.path} from "
                f"{source}. Install the package again from the public registry."
            )
        files[file.path] = data
    return files


def _package(data: bytes, source: Path | str) -> _Package:
    try:
        return msgspec.json.decode(data, type=_Package)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(
            f"An npm package must contain a valid {_MANIFEST}. Received: {shortened(error, 200)}, "
            f"from {source}. Install the package again."
        ) from error


def _unpacked(folder: Path, pinned: Pinned) -> Callable[[str], bytes] | None:
    scope, _, short = pinned.name.removeprefix("@").partition("/")
    tarball = f"{scope}-{short}-{pinned.version}"
    for place in (
        folder / "node_modules" / pinned.name,
        folder / pinned.name,
        folder / tarball / "package",
        folder / tarball,
        folder / short,
    ):
        manifest = place / _MANIFEST
        if manifest.is_file() and _package(_read_file(manifest), manifest).name == pinned.name:
            return lambda path, place=place: _read_file(place / path)  # type: ignore[misc]
    return None


def _packed(folder: Path, pinned: Pinned) -> Callable[[str], bytes] | None:
    scope, _, short = pinned.name.removeprefix("@").partition("/")
    for archive in sorted(
        folder.glob(f"{scope}-{short}-*.tgz"), key=lambda path: pinned.version not in path.name
    ):
        files = _read_archive(archive)
        if _package(files.get(_MANIFEST, b""), archive).name == pinned.name:
            return _reader(files, f"{archive}")
    return None


def _reader(files: Mapping[str, bytes], source: str) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        if path not in files:
            raise _missing(path, source)
        return files[path]

    return read


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(
                f"A file of the engine must have at most {MAX_FILE_BYTES:,} bytes. "
                f"Received: {path.stat().st_size:,} in {path}. Install the package again."
            )
        return path.read_bytes()
    except OSError as error:
        raise _missing(path, reason_of(error)) from error


def _read_archive(archive: Path) -> dict[str, bytes]:
    """The used files of a ``.tgz``; nothing is unpacked to disk."""
    wanted = {_MANIFEST} | {file.path for pinned in PACKAGES for file in pinned.files}
    files = {}
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                name = member.name.partition("/")[2]
                content = opened.extractfile(member) if name in wanted and member.isreg() else None
                if content is not None and member.size <= MAX_FILE_BYTES:
                    files[name] = content.read()
    except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error) as error:
        raise UsageError(
            f"A package must be a .tgz as npm pack writes it. Received: {archive} ({shortened(error, 200)}). "
            "Pack it again."
        ) from error
    return files


def _missing(path: Path | str, reason: str) -> UsageError:
    return UsageError(
        f"A package of the engine must be complete. Received: no {quoted(str(path))} ({reason}). "
        "Install the package again."
    )


def _cure(folder: Path) -> str:
    specs = " ".join(pinned.spec for pinned in PACKAGES)
    return f"Run: npm install --ignore-scripts --prefix {shlex.quote(str(folder))} {specs}"
