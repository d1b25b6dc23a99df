"""Which images a command line means: files, whole folders, patterns, or ``-`` for stdin."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edge_runtime.errors import DataError, UsageError

STDIN = "-"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def image_files(arguments: Sequence[str]) -> list[str]:
    """Expands folders and patterns; files stay as they are, whatever their suffix.

    Args:
        arguments: Paths, patterns such as ``photos/**/*.jpg`` that no shell has expanded, or ``-``.

    Returns:
        Paths in the order of the arguments; those of a folder or pattern sorted and without
        hidden ones. A pattern means every file that it matches.

    Raises:
        DataError: A folder holds no image, or a pattern matches no file.
        UsageError: One is a URL, or ``-`` occurs twice.
    """
    if list(arguments).count(STDIN) > 1:
        raise UsageError("Standard input holds one image. Received: - twice. Pass it once.")
    found: list[str] = []
    for argument in arguments:
        if is_url(argument):
            raise UsageError(
                f"An image must be a file or a folder. Received: {argument}. "
                "Download it first, or pipe it in and pass - as the image."
            )
        if _is_folder(argument):
            found += _inside(Path(argument))
        elif glob.has_magic(argument) and not _exists(argument):
            found += _matching(argument)
        else:
            found.append(argument)
    return found


def is_url(argument: str) -> bool:
    """Whether it starts like ``https://``."""
    return _URL.match(argument) is not None


def _exists(argument: str) -> bool:
    """Whether it is a file's own name: ``scan [1].png`` is one."""
    try:
        return Path(argument).exists()
    except (OSError, ValueError):
        return False


def _matching(pattern: str) -> list[str]:
    files = sorted(path for path in set(glob.glob(pattern, recursive=True)) if Path(path).is_file())
    if not files:
        raise DataError(
            f"A pattern must match a file. Received: {pattern}. Check it; ** means folders at any depth."
        )
    return files


def _is_folder(argument: str) -> bool:
    try:
        return argument != STDIN and Path(argument).is_dir()
    except OSError:
        # A name too long or a place without access: reading it says so.
        return False


def _inside(folder: Path) -> list[str]:
    # Only folders need it: predict on one photo starts faster.
    from edge_runtime.dataset.files import DiskFiles
    from edge_runtime.dataset.layout import IMAGE_SUFFIXES

    refs, _ = DiskFiles(folder).listing()
    images = [str(folder / ref) for ref in refs if PurePosixPath(ref).suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise DataError(
            f"A folder must hold images. Received: {folder} without one, of {len(refs):,} files. "
            f"Use one of the suffixes: {' '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return images
