"""Detects with two system calls whether a followed bundle was replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from edge_runtime.manifest import MANIFEST_FILE
from edge_runtime.updates.home import CURRENT, VERSIONS

Stamp: TypeAlias = tuple[str | int, ...]
"""The resolved path, then its state in the file system."""


def bundle_in(path: Path) -> Path:
    """The bundle to follow: for a folder of versions, its current one."""
    if path.is_dir() and not (path / MANIFEST_FILE).exists() and (path / VERSIONS).is_dir():
        return path / CURRENT
    return path


def is_version(place: str) -> bool:
    """Whether ``snapship pull`` installed the bundle; its files then never change in place."""
    return os.path.basename(os.path.dirname(place)) == VERSIONS and os.path.isfile(f"{place}.json")


def stamp_of(path: Path) -> Stamp:
    """A value that changes when the bundle is replaced; the path alone while there is none."""
    place = os.path.realpath(path)
    for file in (os.path.join(place, MANIFEST_FILE), place):
        try:
            state = os.stat(file)
        except OSError:
            continue
        return place, state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size
    return (place,)
