"""The app's own pages and scripts, as they are in ``phone/web``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

from phone.app.joined_modules import joined
from phone.app.modules import is_module

BOOTSTRAP, WORKER_BOOTSTRAP = "single_file.js", "single_file_worker.js"
"""Start the app that is one HTML file; not part of the folder."""


STARTS = ("ui/main.mjs", "classify/job.mjs")
"""Modules that import all others of the page, and of its worker."""


def static_files() -> dict[str, bytes]:
    """The files by path, as they are written."""
    left_out = (BOOTSTRAP, WORKER_BOOTSTRAP)
    return {path: data for path, data in files_below(web()) if path not in left_out}


def with_joined_modules(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with the modules that a page and its worker start with in one file each.

    Args:
        files: As :func:`static_files` returns them.
    """
    modules = {path: data.decode() for path, data in files.items() if is_module(path)}
    return {**files, **{path: joined(path, modules).encode() for path in STARTS}}


def web() -> Traversable:
    """The folder that holds them."""
    return resources.files("phone") / "web"


def files_below(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    """The files of a folder of the package by path, without hidden ones.

    Args:
        folder: The folder.
        prefix: Put before each path.
    """
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            found += files_below(entry, f"{prefix}{entry.name}/")
        else:
            found.append((f"{prefix}{entry.name}", entry.read_bytes()))
    return found
