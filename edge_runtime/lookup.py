"""Whether a path exists, as opposed to one that cannot be looked up."""

from __future__ import annotations

import os
from pathlib import Path


def is_there(path: Path, *, follow_links: bool = True) -> bool:
    """Whether a path exists.

    Unlike ``Path.exists``, ``is_dir`` and ``is_file``, which since Python 3.14 return False for a name
    that is too long or not accessible, so that the error would surface only after the work.

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
