"""Which images a command line means: files, whole folders, or ``-`` for stdin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edge_runtime.dataset.files import DiskFiles
from edge_runtime.dataset.layout import IMAGE_SUFFIXES
from edge_runtime.errors import DataError, UsageError

STDIN = "-"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def image_files(arguments: Sequence[str]) -> list[str]:
    """Expands folders; files stay as they are, whatever their suffix.

    Args:
        arguments: Paths, or ``-``.

    Returns:
        Paths in the order of the arguments, a folder's images sorted and without hidden ones.

    Raises:
        DataError: A folder holds no image.
        UsageError: One is a URL, or ``-`` occurs twice.
    """
    if list(arguments).count(STDIN) > 1:
        raise UsageError("Standard input holds one image. Received: - twice. Pass it once.")
    found: list[str] = []
    for argument in arguments:
        if _URL.match(argument):
            raise UsageError(
                f"An image must be a file or a folder. Received: {argument}. "
                "Download it first, or pipe it in and pass - as the image."
            )
        found += _inside(Path(argument)) if _is_folder(argument) else [argument]
    return found


def _is_folder(argument: str) -> bool:
    try:
        return argument != STDIN and Path(argument).is_dir()
    except OSError:
        # A name too long or a place without access: reading it says so.
        return False


def _inside(folder: Path) -> list[str]:
    refs, _ = DiskFiles(folder).listing()
    images = [str(folder / ref) for ref in refs if PurePosixPath(ref).suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise DataError(
            f"A folder must hold images. Received: {folder} without one, of {len(refs):,} files. "
            f"Use one of the suffixes: {' '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return images
