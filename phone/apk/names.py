"""What Android calls an app: its package, and the number that tells an update from a downgrade."""

from __future__ import annotations

import datetime
import hashlib
import re
import unicodedata

from edge_runtime.common.errors import UsageError
from edge_runtime.common.text import quoted

_PREFIX = "app.snapship."
_PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_MAX_PACKAGE = 127
MAX_LABEL = 100
"""Characters of an Android app's name; launchers show about twelve."""

_MAX_CODE = 2_100_000_000
"""What Google Play takes."""

_FIRST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def package_name(name: str) -> str:
    """The package of a bundle's app: ``app.snapship.NAME``, of lower-case letters, digits and ``_``.

    Args:
        name: The bundle's name. Letters that a package cannot have become their nearest one; where none
            is left, a hash of the name stands for it, so that two names never share a package by that.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not plain:
        plain = "app_" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    elif not plain[0].isalpha():
        plain = f"app_{plain}"
    return (_PREFIX + plain)[:_MAX_PACKAGE]


def version_code(created: str) -> int:
    """The version code of a bundle's app: seconds from the start of 2020 to the bundle's making.

    So a bundle made later is an update, on any machine, and the same bundle gives the same app.

    Args:
        created: The manifest's ``created``, ISO 8601.

    Raises:
        UsageError: It is no such time, or lies outside 2020 to 2086.
    """
    try:
        time = datetime.datetime.fromisoformat(created)
    except ValueError as error:
        raise UsageError(
            f"The time of a bundle must be ISO 8601. Received: {quoted(created)}. Export the bundle again."
        ) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    code = int((time - _FIRST).total_seconds())
    if not 1 <= code <= _MAX_CODE:
        raise UsageError(
            f"The time of a bundle in an Android app must lie in 2020 to 2086. Received: {quoted(created)}. "
            "Export the bundle again on a machine whose clock is right."
        )
    return code


def check_version_code(code: int) -> int:
    """Raises UsageError for a version code that Android or Google Play refuses; else returns it."""
    if not 1 <= code <= _MAX_CODE:
        raise UsageError(
            f"An Android version code must be 1 to {_MAX_CODE}. Received: {code}. Pass another one."
        )
    return code


def check_package(package: str) -> None:
    """Raises UsageError for a package name that Android refuses."""
    if not _PACKAGE.fullmatch(package) or len(package) > _MAX_PACKAGE:
        raise UsageError(
            "An Android package must be two or more words of letters, digits and _, each with a letter first, "
            f"joined by dots, at most {_MAX_PACKAGE} characters. Received: {quoted(package)}. "
            "Use e.g. org.example.flowers."
        )


def check_label(label: str) -> None:
    """Raises UsageError for an app name that a launcher cannot show."""
    if (
        not label.strip()
        or len(label) > MAX_LABEL
        or any(unicodedata.category(c) in ("Cc", "Cs") for c in label)
    ):
        raise UsageError(
            f"An app's name must have 1 to {MAX_LABEL} printable characters. Received: {quoted(label)}. "
            "Pass another name."
        )
