"""The user's own folders: what is kept from one run to the next."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.common.errors import UsageError


def user_folder(variable: str, below_home: str) -> Path:
    """``snapship`` in the folder that a variable of the environment names, else below the home folder.

    Args:
        variable: E.g. ``XDG_CACHE_HOME``.
        below_home: E.g. ``.cache``.

    Raises:
        UsageError: There is neither the variable nor a home folder.
    """
    home = os.path.expanduser("~")
    base = os.environ.get(variable)
    if not base and home == "~":
        raise UsageError(
            f"snapship keeps a file in your home folder. Received: no home folder. Set {variable} to a folder."
        )
    return Path(base or os.path.join(home, below_home)) / "snapship"
