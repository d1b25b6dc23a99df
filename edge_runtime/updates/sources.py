"""Where an update comes from: a path, ``https://`` or ``s3://``."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle import Bundle
from edge_runtime.errors import UsageError
from edge_runtime.progress import Progress

MAX_BYTES = 2_000_000_000
"""Limit of a download, and of a bundle's files together."""


def shown(source: str) -> str:
    """A source to show or store, without the secrets that a URL may hold."""
    if "://" not in source:
        return source
    # A refused URL is not shown whole either.
    scheme, _, rest = source.partition("://")
    return f"{scheme}://{rest.split('?', 1)[0].split('#', 1)[0].rpartition('@')[2]}"


def check_source(source: str, *, allow_http: bool) -> None:
    """Refuses a source that cannot be one, before anything is made for it.

    Raises:
        UsageError: It is no URL that may be used.
        BundleError: It is a path without a bundle.
    """
    scheme, found, rest = source.partition("://")
    if not found:
        Bundle.open(source)
    elif scheme in ("https", "http"):
        from edge_runtime.updates.https import check_url

        check_url(source, allow_http=allow_http)
    elif scheme != "s3" or not all(rest.partition("/")):
        raise UsageError(
            "A source must be a path, https://SERVER/FILE.zip or s3://BUCKET/KEY.zip. "
            f"Received: {shown(source)!r}. Check it."
        )


def fetch(source: str, file: Path, *, max_bytes: int, allow_http: bool, progress: Progress) -> Path:
    """Brings a source to this machine.

    Args:
        source: One that :func:`check_source` let pass.
        file: Where a download is written; must not exist yet.
        max_bytes: Limit of a download.
        allow_http: Also ``http://``.
        progress: Called with the bytes of a download.

    Returns:
        ``file``, or the path that the source already is.

    Raises:
        UsageError: The source cannot be used.
        EnvironmentMissingError: An extra or credentials are missing.
        OSError: The disk refuses.
    """
    scheme, found, rest = source.partition("://")
    if not found:
        return Path(source)
    if scheme in ("https", "http"):
        from edge_runtime.updates.https import fetch_https

        with file.open("xb") as into:
            fetch_https(source, into, max_bytes, progress, allow_http=allow_http)
        return file
    from edge_runtime.updates.s3 import fetch_s3

    bucket, _, key = rest.partition("/")
    with file.open("xb") as into:
        fetch_s3(bucket, key, into, max_bytes, progress)
    return file
