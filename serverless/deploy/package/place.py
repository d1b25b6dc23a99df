"""Where a package goes, checked before the work; a folder appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import UsageError
from edge_runtime.lookup import is_there
from serverless.deploy.package.tree import RECORD_FILE

TASK_FOLDER = "task"
"""The folder of a build context that holds the package's files."""


def may_write_zip(out: Path, overwrite: bool) -> None:
    """Refuses a place where no zip may be written.

    Args:
        out: The zip.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        UsageError: Something is there.
    """
    with _readable("--out", out):
        if not is_there(out, follow_links=False):
            return
        if out.is_dir():
            raise UsageError(
                f"A package must be a file. Received: --out {out}, a folder. Pass another --out."
            )
        if not overwrite:
            raise UsageError(f"A package must be new. Received: --out {out}, which exists. Pass --overwrite.")


def may_write_context(folder: Path, overwrite: bool) -> None:
    """Refuses a place where no build context may be written.

    Args:
        folder: The build context.
        overwrite: Whether one that is there may be replaced; never any other folder.

    Raises:
        UsageError: Something is there.
    """
    with _readable("--image", folder):
        if not is_there(folder, follow_links=False) or (folder.is_dir() and not any(folder.iterdir())):
            return
        if not (folder / TASK_FOLDER / RECORD_FILE).is_file():
            raise UsageError(
                f"A build context must be new. Received: --image {folder}, which holds something else. "
                "Pass another --image."
            )
        if not overwrite:
            raise UsageError(
                f"A build context must be new. Received: --image {folder}, which exists. Pass --overwrite."
            )


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """Lends an empty folder that takes the place of another when the block ends well.

    Args:
        folder: Where it goes; what is there is replaced.

    Raises:
        UsageError: The place cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
            new, old = Path(place, "new"), Path(place, "old")
            new.mkdir()
            yield new
            if os.path.lexists(folder):
                folder.rename(old)
            try:
                new.rename(folder)
            except OSError:
                if os.path.lexists(old):
                    old.rename(folder)
                raise
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"A build context's place must be writable. Received: {folder} ({error.strerror}). Pass another --image."
        ) from error


@contextmanager
def _readable(option: str, path: Path) -> Iterator[None]:
    """A name that is too long, or a folder that may not be looked into."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{option} must be a usable path. Received: {path} ({reason}). Pass another {option}."
        ) from error
