"""Image arguments of a command: files, folders, patterns, or ``-`` for stdin."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath

from edge_runtime.common.errors import DataError, UsageError

STDIN = "-"

_URL = r"[A-Za-z][A-Za-z0-9+.-]*://"

_ANY_DEPTH = "**"


def image_files(arguments: Sequence[str]) -> list[str]:
    """Expands folders and patterns; files stay as they are, whatever their suffix.

    Args:
        arguments: Paths, unexpanded patterns such as ``photos/**/*.jpg``, or ``-``.

    Returns:
        Paths in the order of the arguments; those of a folder or pattern are sorted, without hidden
        files. A pattern means every file that it matches, whatever its suffix.

    Raises:
        DataError: A folder holds no image, or a pattern matches no file.
        UsageError: One is a URL or empty, or ``-`` occurs twice.
    """
    if list(arguments).count(STDIN) > 1:
        raise UsageError("Standard input holds one image. Received: - twice. Pass - once.")
    found: list[str] = []
    for argument in arguments:
        if not argument:
            # Usually an unset variable, but the current folder to pathlib.
            raise UsageError("An image must be a file or a folder. Received: an empty name. Pass a path.")
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
    """Whether an argument starts with a scheme like ``https://``."""
    return "://" in argument and re.match(_URL, argument) is not None


def _exists(argument: str) -> bool:
    """Whether a file has this very name, e.g. ``scan [1].png``."""
    try:
        return Path(argument).exists()
    except (OSError, ValueError):
        return False


def _matching(pattern: str) -> list[str]:
    found = _paths("", PurePath(pattern).parts)
    files = sorted(path for path in found if Path(path).is_file())
    if not files:
        raise DataError(
            f"A pattern must match a file. Received: {pattern}. Check it; ** means folders at any depth."
        )
    return files


def _paths(base: str, parts: tuple[str, ...]) -> set[str]:
    """Matches below a folder, without glob's own ``**``, which follows circular links."""
    if _ANY_DEPTH not in parts:
        return set(glob.glob(os.path.join(glob.escape(base), *parts)))
    at = parts.index(_ANY_DEPTH)
    heads = glob.glob(os.path.join(glob.escape(base), *parts[:at])) if at else [base]
    below = parts[at + 1 :] or ("*",)
    return {path for head in heads for folder in _folders(head) for path in _paths(folder, below)}


def _folders(top: str) -> list[str]:
    """A folder and all below it, each once, following links; hidden ones left out."""
    found, seen, waiting = [], set(), [top]
    while waiting:
        folder = waiting.pop(0)
        real = os.path.realpath(folder or ".")
        if real in seen:
            continue
        seen.add(real)
        found.append(folder)
        try:
            names = sorted(entry.name for entry in os.scandir(folder or ".") if entry.is_dir())
        except OSError:
            # As glob does: an unreadable folder holds nothing.
            continue
        waiting += [os.path.join(folder, name) for name in names if not name.startswith(".")]
    return found


def _is_folder(argument: str) -> bool:
    try:
        return argument != STDIN and Path(argument).is_dir()
    except OSError:
        # A name that is too long, or no access: reading it reports so.
        return False


def _inside(folder: Path) -> list[str]:
    # Here, so that predict on one photo starts faster.
    from PIL import Image

    from edge_runtime.dataset.files import DiskFiles
    from edge_runtime.dataset.layout import IMAGE_SUFFIXES
    from edge_runtime.image.preprocess import FORMATS

    refs, _ = DiskFiles(folder).listing()
    named = (str(folder / ref) for ref in refs if PurePosixPath(ref).suffix.lower() in IMAGE_SUFFIXES)
    images = [path for path in named if not _waits(path)]
    if not images:
        # Files with other suffixes are tried too, and the error of each says how to convert it.
        formats = Image.registered_extensions()
        readable = sorted(suffix for suffix in IMAGE_SUFFIXES if formats.get(suffix) in FORMATS)
        raise DataError(
            f"A folder must hold images. Received: {folder}, {len(refs):,} files, none of them an image. "
            f"Use one of the suffixes: {' '.join(readable)}."
        )
    return images


def _waits(path: str) -> bool:
    """Whether reading might never end: a pipe or a device."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        # Reading it says why.
        return False
