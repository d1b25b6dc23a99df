"""Checks the output path of a package before the work starts."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.atomic_file import usable_path
from edge_runtime.errors import UsageError
from edge_runtime.lookup import is_there
from edge_runtime.temporary import put_back
from serverless.deploy.package.tree import RECORD_FILE

TASK_FOLDER = "task"
"""The folder of a build context with the package's files."""


def check_zip_path(out: Path, overwrite: bool) -> None:
    """Checks that a zip may be written.

    Args:
        out: The zip.
        overwrite: Whether an existing file may be replaced.

    Raises:
        UsageError: The path is in use.
    """
    with usable_path(out, "--out", "--out must be a usable path"):
        if not is_there(out, follow_links=False):
            return
        if out.is_dir():
            raise UsageError(
                f"A package must be a file. Received: --out {out}, a folder. Pass another --out."
            )
        if not overwrite:
            raise UsageError(f"A package must be new. Received: --out {out}, which exists. Pass --overwrite.")


def check_context_path(folder: Path, overwrite: bool) -> None:
    """Checks that a build context may be written.

    Args:
        folder: The build context.
        overwrite: Whether an existing build context may be replaced; never any other folder.

    Raises:
        UsageError: The path is in use.
    """
    put_back(folder)
    with usable_path(folder, "--image", "--image must be a usable path"):
        if not is_there(folder, follow_links=False) or (folder.is_dir() and not any(folder.iterdir())):
            return
        if not (folder / TASK_FOLDER / RECORD_FILE).is_file():
            raise UsageError(
                f"A build context must be new. Received: --image {folder}, which contains something else. "
                "Pass another --image."
            )
        if not overwrite:
            raise UsageError(
                f"A build context must be new. Received: --image {folder}, which exists. Pass --overwrite."
            )
