"""Folders that are replaced in one step: the old one or the new one is there, whatever is killed.

Linux and macOS exchange two names at once on most file systems. Elsewhere two renames follow each
other; after a kill between them the next run that names the place, or any that reads it, puts the
old folder back (:func:`edge_runtime.temporary.put_back`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from edge_runtime.errors import UsageError
from edge_runtime.temporary import set_aside, temporary_folder

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Linux: fcntl.h, linux/fs.h."""

_RENAME_SWAP = 2
"""macOS: sys/stdio.h."""


@contextmanager
def folder_replaced(out: Path, option: str = "--out", *, synced: bool = True) -> Iterator[Path]:
    """Lends an empty folder that is at its place when the block ends well, and gone otherwise.

    Args:
        out: A folder that is replaced if it exists; check before that it may be.
        option: What names it, for messages.
        synced: Whether its files are on the disk before it is at its place, as a power loss needs it:
            some ms for each.

    Yields:
        The folder to fill, on the same disk.

    Raises:
        UsageError: The place cannot be written.
    """
    with ExitStack() as stack:
        with _writable(out, option):
            new = stack.enter_context(_beside(out))
        yield new
        with _writable(out, option):
            if synced:
                _sync_tree(new)
            _move(new, out)


def check_folder(out: Path, option: str = "--out") -> None:
    """Says before the work that a folder could not be made at its place.

    Args:
        out: The folder; those above it need not exist.
        option: What names it, for messages.

    Raises:
        UsageError: The place cannot be written.
    """
    with _writable(out, option), _beside(out):
        pass


def _beside(out: Path) -> AbstractContextManager[Path]:
    # A name that no folder can have is known now, not at the rename.
    with suppress(FileNotFoundError):
        os.lstat(out)
    return temporary_folder(existing_parent(out))


def existing_parent(path: Path) -> Path:
    """The innermost folder above a path that is there already.

    Args:
        path: Any.
    """
    place = path.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def sync_folder(folder: Path) -> None:
    """Brings a folder's names to the disk, where the system can.

    Args:
        folder: It.
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _writable(out: Path, option: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"An output's folder must be writable. Received: {option} {out} ({reason}). Pass another {option}."
        ) from error


def _move(new: Path, out: Path) -> None:
    """Renames a finished folder to its place, which may be on another level than it was made on."""
    if not os.path.samefile(existing_parent(out), new.parent.parent):
        # Folders above it were made meanwhile, and it may have been, too.
        with temporary_folder(existing_parent(out)) as nearer:
            nearer.rmdir()
            os.rename(new, nearer)
            _move(nearer, out)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(out):
        os.rename(new, out)
    elif not exchange(new, out):
        set_aside(out, new)
        os.rename(new, out)
    sync_folder(out.parent)


def _sync_tree(new: Path) -> None:
    for folder, _, files in os.walk(new):
        for file in files:
            # Windows syncs only what may be written; elsewhere a file may be read-only.
            handle = os.open(os.path.join(folder, file), os.O_RDWR if os.name == "nt" else os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(folder))


def exchange(one: Path, other: Path) -> bool:
    """Lets two folders trade names in one step.

    Args:
        one: A folder.
        other: Another one on the same disk.

    Returns:
        Whether it was done; False, and nothing changed, where kernel, C library or file system cannot.
    """
    if sys.platform not in ("linux", "darwin"):
        # Windows has no such call, and none of the libraries that it would be looked for in.
        return False
    import ctypes

    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, ctypes.c_uint(_RENAME_SWAP)) == 0)
        flags = ctypes.c_uint(_RENAME_EXCHANGE)
        return bool(library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], flags) == 0)
    except (AttributeError, OSError):
        # A C library without the call, or a program that was linked statically.
        return False
