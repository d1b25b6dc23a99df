"""Writes that are on the disk when they return, and whole or absent after a power loss.

A rename is atomic, but only ``fsync`` of a file and then of its folder makes it last.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge_runtime.replacing import sync_folder
from edge_runtime.temporary import temporary_file

ASIDE = ".next"
"""Ending of what is not in its place yet."""


def sync_tree(folder: Path) -> None:
    """Brings the names of a folder and of all below it to the disk."""
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


def write_new(path: Path, data: bytes) -> None:
    """Writes a file that must not exist yet; its folder is not synced.

    Raises:
        OSError: It exists, or cannot be written.
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy_new(source: Path, path: Path) -> None:
    """Copies a file's content to a place where none may exist yet; its folder is not synced.

    Raises:
        OSError: It exists, or one cannot be read or written.
    """
    with source.open("rb") as origin, path.open("xb") as file:
        shutil.copyfileobj(origin, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Writes a file aside and renames it."""
    with temporary_file(path.parent) as aside:
        aside.file.write(data)
        aside.move_to(path)
    sync_folder(path.parent)


def replace_link(link: Path, target: str) -> None:
    """Points a symbolic link at something else, at once for everyone who opens it."""
    aside = link.with_name(link.name + ASIDE)
    aside.unlink(missing_ok=True)
    os.symlink(target, aside, target_is_directory=True)
    os.replace(aside, link)
    sync_folder(link.parent)
