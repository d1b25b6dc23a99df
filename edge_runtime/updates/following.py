"""Which bundle is followed, and whether another one is in its place, for two system calls."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from edge_runtime.manifest import MANIFEST_FILE
from edge_runtime.updates.home import CURRENT, VERSIONS

Stamp: TypeAlias = tuple[str | int, ...]
"""The place that links lead to, then what the file system says of it."""


def bundle_in(path: Path) -> Path:
    """The bundle to follow: a folder of versions means its current one."""
    if path.is_dir() and not (path / MANIFEST_FILE).exists() and (path / VERSIONS).is_dir():
        return path / CURRENT
    return path


def is_version(place: str) -> bool:
    """Whether ``snapship pull`` put the bundle there: then its files never change in place."""
    return os.path.basename(os.path.dirname(place)) == VERSIONS and os.path.isfile(f"{place}.json")


def stamp_of(path: Path) -> Stamp:
    """What changes when another bundle is there; the place alone while there is none."""
    place = os.path.realpath(path)
    for file in (os.path.join(place, MANIFEST_FILE), place):
        try:
            state = os.stat(file)
        except OSError:
            continue
        return place, state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size
    return (place,)
