"""The app as a folder: where it may be written, and how it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge_runtime.common.atomic_file import is_there, usable_path
from edge_runtime.common.atomic_folder import check_folder, folder_replaced
from edge_runtime.common.errors import UsageError
from phone.app.app_json import APP_FILE, is_app

_MAX_APP_JSON = 5_000_000


def check_place(out: Path, option: str = "--out") -> None:
    """Checks before the work that an app may be written there: nothing, an empty folder, or an app.

    Args:
        out: The folder.
        option: The option that names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is something else.
    """
    with usable_path(out, option):
        if is_there(out) and not out.is_dir():
            raise UsageError(
                f"{option} must be a folder. Received: {out}, a file. Pass a folder; for one file use --single-file."
            )
        if is_there(out) and any(out.iterdir()) and not _holds_app(out):
            raise UsageError(
                f"{option} must be new, empty, or an app made by snapship. Received: {out}, which has other files. "
                f"Pass another {option}."
            )
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
    with folder_replaced(out, option) as new:
        for path, data in files.items():
            file = new / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def _holds_app(folder: Path) -> bool:
    file = folder / APP_FILE
    return file.is_file() and file.stat().st_size <= _MAX_APP_JSON and is_app(file.read_bytes())
