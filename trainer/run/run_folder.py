"""Creates run folders: whole or not at all, and never over anything else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.common.atomic_file import usable_path
from edge_runtime.common.atomic_folder import folder_replaced
from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import put_back, remove_abandoned
from trainer.run.run_json import RUN_FILE, RUN_FILES


def check_out(out: str | os.PathLike[str], overwrite: bool) -> Path:
    """Returns the absolute path of a run folder that may be created.

    Args:
        out: The run folder.
        overwrite: Whether an existing run folder may be replaced.

    Raises:
        UsageError: Something else exists there, or a run folder without ``overwrite``.
    """
    if not os.fspath(out):
        raise UsageError("--out must name a folder. Received: an empty string. Pass --out RUN.")
    path = Path(os.path.abspath(out))
    put_back(path)
    if not os.path.lexists(path):
        return path
    if path.is_symlink() or not path.is_dir():
        raise UsageError(f"--out must be a new folder. Received: {path}, not a folder. Choose another name.")
    if path.is_mount():
        raise UsageError(f"--out must be a folder that can be renamed. Received: {path}, a mount point. "
                         f"Choose a folder inside it: {path / 'run'}.")  # fmt: skip
    remove_abandoned(path)
    try:
        names = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise UsageError(
            f"--out must be readable. Received: {path} ({error.strerror}). Choose another name."
        ) from error
    if not names:
        return path
    if RUN_FILE not in names or names - set(RUN_FILES):
        other = sorted(names - set(RUN_FILES))
        raise UsageError(
            f"--out must be a new folder or a run folder. Received: {path}, which contains "
            f"{(other or sorted(names))[0]}. Choose another name."
        )
    if not overwrite:
        raise UsageError(
            f"--out must not exist yet. Received: {path}, a run folder. Choose another name or add --overwrite."
        )
    return path


@contextmanager
def new_run_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary folder that becomes ``out`` when the block succeeds.

    Args:
        out: What :func:`check_out` returned.
        overwrite: Whether an existing run folder may be replaced.

    Raises:
        UsageError: ``out`` cannot be written.
    """
    rule = "The run folder must be writable"
    with usable_path(out, "--out", rule, refused=OSError), folder_replaced(out) as folder:
        yield folder
        check_out(out, overwrite)
