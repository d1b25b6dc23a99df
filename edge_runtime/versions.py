"""Versions of installed packages."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

OWN_NAME = "snapship"


def version_of(package: str) -> str | None:
    """The version of an installed package, None when it is not installed."""
    # Here, as it takes 20 ms and predict does without it.
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed, by name."""
    found = {package: version_of(package) for package in packages}
    return {package: version for package, version in found.items() if version is not None}


@cache
def own_version() -> str:
    """The version of snapship; ``0+unknown`` where it runs from a checkout that is not installed."""
    return version_of(OWN_NAME) or "0+unknown"
