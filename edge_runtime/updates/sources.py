"""Sources of updates: a path, ``https://`` or ``s3://``."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle import Bundle
from edge_runtime.errors import UsageError
from edge_runtime.progress import Progress

MAX_BYTES = 2_000_000_000
"""Limit of a download, and of all files of a bundle together, in bytes."""


def shown(source: str) -> str:
    """A source without the secrets that a URL may contain, to show or store."""
    if "://" not in source:
        return source
    # Rejected URLs are shortened too.
    scheme, _, rest = source.partition("://")
    return f"{scheme}://{rest.split('?', 1)[0].split('#', 1)[0].rpartition('@')[2]}"


def check_source(source: str, *, allow_http: bool) -> None:
    """Rejects an invalid source before anything is created for it.

    Raises:
        UsageError: The URL is invalid or not allowed.
        BundleError: There is no bundle at the path.
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
    """Fetches a source to this machine.

    Args:
        source: One that :func:`check_source` accepted.
        file: Where a download is written; must not exist yet.
        max_bytes: Limit of a download.
        allow_http: Also ``http://``.
        progress: Called with the bytes of a download.

    Returns:
        ``file``, or the path that the source already is.

    Raises:
        UsageError: The source cannot be used.
        EnvironmentMissingError: An extra or credentials are missing.
        OSError: Writing failed.
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
