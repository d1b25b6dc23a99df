"""Output folders that are replaced in one step: whatever is killed, the old or the new one is there.

Linux and macOS exchange two names atomically on most file systems. Elsewhere two renames follow each
other; after a kill between them, the next run that reads or writes the place puts the old folder
back (:func:`edge_runtime.common.temporary.put_back`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from edge_runtime.common.atomic_file import existing_parent, sync_folder, usable_path
from edge_runtime.common.temporary import set_aside, temporary_folder

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Linux: fcntl.h, linux/fs.h."""

_RENAME_SWAP = 2
"""macOS: sys/stdio.h."""

_RULE = "An output's folder must be writable"


@contextmanager
def folder_replaced(out: Path, option: str = "--out", *, synced: bool = True) -> Iterator[Path]:
    """Yields an empty folder that replaces ``out`` when the block succeeds, and is removed otherwise.

    Args:
        out: The folder, replaced if it exists; check before that it may be. Of a link, its target is
            replaced.
        option: The option that names it, for messages.
        synced: Whether to sync its files to the disk first, so that it survives a power loss; takes
            some ms per file.

    Yields:
        The folder to fill, on the same disk.

    Raises:
        UsageError: The place cannot be written.
    """
    with ExitStack() as stack:
        with usable_path(out, option, _RULE):
            out = Path(os.path.realpath(out))
            new = stack.enter_context(_beside(out))
        yield new
        with usable_path(out, option, _RULE):
            if synced:
                sync_tree(new)
            _move(new, out)


def check_folder(out: Path, option: str = "--out") -> None:
    """Checks before the work that a folder can be made; leaves nothing behind.

    Args:
        out: The folder; those above it need not exist.
        option: The option that names it, for messages.

    Raises:
        UsageError: The place cannot be written.
    """
    with usable_path(out, option, _RULE), _beside(Path(os.path.realpath(out))):
        pass


def _beside(out: Path) -> AbstractContextManager[Path]:
    # A name that no folder can have is known now, not at the rename.
    with suppress(FileNotFoundError):
        os.lstat(out)
    return temporary_folder(existing_parent(out))


def _move(new: Path, out: Path) -> None:
    """Renames a finished folder to its place, which may lie deeper than where it was made."""
    if not os.path.samefile(existing_parent(out), new.parent.parent):
        # Folders above it were made meanwhile; it may exist now, too.
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


def sync_tree(folder: Path) -> None:
    """Writes a folder with all its files and sub-folders to the disk."""
    for place, _, files in os.walk(folder):
        for file in files:
            # Windows syncs only what may be written; elsewhere a file may be read-only.
            handle = os.open(os.path.join(place, file), os.O_RDWR if os.name == "nt" else os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(place))


def exchange(one: Path, other: Path) -> bool:
    """Exchanges the names of two folders atomically.

    Args:
        one: A folder.
        other: Another one on the same disk.

    Returns:
        False, with nothing changed, where the kernel, C library or file system cannot.
    """
    if sys.platform not in ("linux", "darwin"):
        # Windows has no such call, nor the C library to look it up in.
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
