"""Who wrote a file."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

NAME = "snapship"


def own_version() -> str:
    """The installed version; ``0+unknown`` in a checkout that is not installed."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "0+unknown"
