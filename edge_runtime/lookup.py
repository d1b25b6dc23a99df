"""Whether a path is there, told apart from a path that cannot be looked up."""

from __future__ import annotations

import os
from pathlib import Path


def is_there(path: Path, *, follow_links: bool = True) -> bool:
    """Whether a path exists.

    Unlike ``Path.exists``, ``is_dir`` and ``is_file``, which from Python 3.14 on say no of a name that
    is too long or of a place without access, so that nobody would hear of it before the work is done.

    Args:
        path: The path.
        follow_links: Whether a link counts as what it points to.

    Raises:
        OSError: It cannot be looked up.
    """
    try:
        os.stat(path, follow_symlinks=follow_links)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        # ValueError: a NUL character, which no file's name holds.
        return False
    return True
