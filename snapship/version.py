"""The version of the installed distribution."""

from __future__ import annotations

UNKNOWN = "0+unknown"
"""The version in a checkout that is not installed."""


def version() -> str:
    """Returns the installed version, or :data:`UNKNOWN`."""
    from importlib import metadata

    try:
        return metadata.version("snapship")
    except metadata.PackageNotFoundError:
        return UNKNOWN
