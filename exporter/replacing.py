"""Outputs that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import UsageError
from edge_runtime.output_place import written_aside
from edge_runtime.text import as_utf8


@contextmanager
def built_aside(out: Path) -> Iterator[Path]:
    """Lends an empty folder beside ``out`` and moves it there when the block succeeds.

    Args:
        out: A folder that is replaced if it exists; check before that it may be.

    Yields:
        The folder to fill.

    Raises:
        UsageError: The place cannot be written.
    """
    aside = side_folder(out)
    try:
        yield aside
        _move(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def side_folder(out: Path) -> Path:
    """Makes an empty folder on the same disk as ``out``; folders above it are not made yet.

    Raises:
        UsageError: The place cannot be written.
    """
    place = out.parent
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=place))
        aside.chmod(0o755)
    except OSError as error:
        raise UsageError(
            f"The output's folder must be writable. Received: {out} ({error.strerror}). Pass another --out."
        ) from error
    return aside


def _move(aside: Path, out: Path) -> None:
    """Renames the finished folder into its place; what was there stays until that is done."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            if os.path.lexists(out):
                os.rename(out, old / out.name)
            os.rename(aside, out)
        finally:
            # Also on Ctrl-C between the two renames: a bundle must be there again.
            if not os.path.lexists(out) and os.path.lexists(old / out.name):
                os.rename(old / out.name, out)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"The output's place must be writable. Received: {out} ({error.strerror}). Pass another --out."
        ) from error


def write_whole(path: Path, data: bytes | str) -> None:
    """Writes a file under a temporary name and renames it.

    Args:
        path: The file, replaced if it exists.
        data: Its content; text becomes UTF-8, with escapes for file names that are none.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    with written_aside(path) as file:
        file.write(as_utf8(data).encode() if isinstance(data, str) else data)
