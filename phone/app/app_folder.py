"""The app as a folder: where it may be written, and how it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edge_runtime.common.atomic_file import usable_path
from edge_runtime.common.atomic_folder import check_folder, folder_replaced
from edge_runtime.common.errors import UsageError
from edge_runtime.common.text import quoted
from phone.app.app_json import APP_FILE, listed_files
from phone.disk.outputs import check_not_current, in_use, write_files

_MAX_APP_JSON = 5_000_000


def check_place(out: Path, option: str = "--out") -> None:
    """Checks before the work that an app may be written there: nothing, an empty folder, or an app alone.

    Args:
        out: The folder.
        option: The option that names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is something else.
    """
    with usable_path(out, option):
        used = in_use(out)
        if used and not out.is_dir():
            raise UsageError(
                f"{option} must be a folder. Received: {out}, a file. Pass a folder; for one file use --single-file."
            )
        other = _other_file(out) if used else None
        if other is not None:
            raise UsageError(
                f"{option} must be new, empty, or an app made by snapship and nothing else. Received: {out}, which "
                f"has other files, first {quoted(other)}. Pass another {option}, or remove them."
            )
        check_not_current(out, option)
    check_folder(out, option)


def write_app(files: Mapping[str, bytes], out: Path, option: str = "--out") -> None:
    """Writes the app whole: an app that is there is replaced in one step.

    Args:
        files: Content by path.
        out: The folder, as :func:`check_place` allows it.
        option: The option that names it, for messages.

    Raises:
        UsageError: The place cannot be written.
    """
    check_place(out, option)
    with folder_replaced(out, option) as new, usable_path(out, option, refused=OSError):
        write_files(new, files)


def _other_file(folder: Path) -> str | None:
    """A file that no app of snapship brought, such as one of ``.git``: it would be lost."""
    file = folder / APP_FILE
    small = file.is_file() and file.stat().st_size <= _MAX_APP_JSON
    ours = listed_files(file.read_bytes()) if small else frozenset()
    for place, _, names in os.walk(folder):
        for name in names:
            path = (Path(place) / name).relative_to(folder).as_posix()
            if path not in ours:
                return path
    return None
