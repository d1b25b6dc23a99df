"""Making a run folder: whole or not at all, and never over anything that is not one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import UsageError
from trainer.run import RUN_FILE, RUN_FILES


def check_out(out: str | os.PathLike[str], overwrite: bool) -> Path:
    """Returns the absolute path of a run folder that may be made.

    Args:
        out: Where it shall be.
        overwrite: Whether a run folder may lie there.

    Raises:
        UsageError: Something lies there that may not be replaced.
    """
    if not os.fspath(out):
        raise UsageError("--out must name a folder. Received: an empty text. Pass --out RUN.")
    path = Path(os.path.abspath(out))
    if not os.path.lexists(path):
        return path
    if path.is_symlink() or not path.is_dir():
        raise UsageError(f"--out must be a new folder. Received: {path}, not a folder. Choose another name.")
    if path.is_mount():
        raise UsageError(f"--out must be a folder that can be renamed. Received: {path}, a mount point. "
                         f"Choose a folder in it: {path / 'run'}.")  # fmt: skip
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
            f"--out must be a new folder or a run folder. Received: {path}, which holds "
            f"{(other or sorted(names))[0]}. Choose another name."
        )
    if not overwrite:
        raise UsageError(
            f"--out must not exist yet. Received: {path}, a run folder. Choose another or add --overwrite."
        )
    return path


def check_writable(out: Path) -> None:
    """Says before training, not after it, that the run folder cannot be made.

    Args:
        out: What :func:`check_out` returned.

    Raises:
        UsageError: The place cannot be written.
    """
    _temporary(out).rmdir()


@contextmanager
def building(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary sibling that becomes ``out`` when the block ends well.

    Args:
        out: What :func:`check_out` returned.
        overwrite: As there.

    Raises:
        UsageError: The place cannot be written.
    """
    temporary = _temporary(out)
    try:
        folder = temporary / "new"
        folder.mkdir()
        yield folder
        _swap(folder, check_out(out, overwrite), temporary)
    except BrokenPipeError:
        # The reader of our progress has gone; nothing is wrong with the folder.
        raise
    except OSError as error:
        raise UsageError(
            f"The run folder must be writable. Received: {out} ({error.strerror or error}). "
            "Free some space or choose another place."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(out: Path) -> Path:
    """Makes a hidden folder on the file system of ``out``."""
    place = out.parent
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        return Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=place))
    except OSError as error:
        raise UsageError(
            f"--out must be in a folder that can be written. Received: {place} ({error.strerror}). "
            "Choose another place."
        ) from error


def _swap(folder: Path, out: Path, temporary: Path) -> None:
    """Renames the old run away and the new one into its place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    old = temporary / "old"
    if out.exists():
        os.rename(out, old)
    try:
        os.rename(folder, out)
    except BaseException:
        # Ctrl-C too: what is still in the temporary folder is about to be removed.
        if old.exists() and not out.exists():
            os.rename(old, out)
        raise
