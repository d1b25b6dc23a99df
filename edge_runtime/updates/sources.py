"""Sources of updates: a path, ``https://`` or ``s3://``.

Fetches a file by HTTPS with the standard library: nothing more to install on a device.

Fetches from S3. The only file of the runtime that imports boto3, and only for ``s3://``.

Credentials, region and endpoint are configured for boto3: environment variables such as
``AWS_ENDPOINT_URL_S3``, ``~/.aws``, or the machine's role.
"""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import urlsplit

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.common.progress import Progress

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
        with file.open("xb") as into:
            fetch_https(source, into, max_bytes, progress, allow_http=allow_http)
        return file

    bucket, _, key = rest.partition("/")
    with file.open("xb") as into:
        fetch_s3(bucket, key, into, max_bytes, progress)
    return file


TIMEOUT_S = 30.0
"""Longest silence of the server."""

DEADLINE_S = 3600.0
"""Longest download; a server that drips a byte now and then must not hold a device for ever."""

_CHUNK_BYTES = 1 << 18


def without_secrets(url: str) -> str:
    """A URL to show or store: without user, password and query, where signed links keep their secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def check_url(url: str, *, allow_http: bool) -> None:
    """Rejects a URL without encryption or server name.

    Raises:
        UsageError: It is refused.
    """
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            "A URL must be https://SERVER/PATH in plain ASCII without a password. Received: "
            f"{url.split('?', 1)[0].rpartition('@')[2]!r}. Check the source."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http):
        raise UsageError(
            f"A download must be encrypted. Received: {without_secrets(url)}. "
            "Use https://, or pass --allow-http on a network that you trust."
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never to something that :func:`check_url` refuses."""

    def __init__(self, allow_http: bool) -> None:
        self._allow_http = allow_http

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        check_url(newurl, allow_http=self._allow_http)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch_https(
    url: str, into: BinaryIO, max_bytes: int, progress: Progress, *, allow_http: bool = False
) -> None:
    """Downloads a file, with the certificates of the system or of ``SSL_CERT_FILE``.

    Args:
        url: The URL.
        into: The file to write to.
        max_bytes: Limit of its size.
        progress: Called with bytes received and bytes in all.
        allow_http: Whether to accept unencrypted ``http://``.

    Raises:
        UsageError: The URL or a redirect is refused, the server does not answer, its certificate is not
            trusted, or the download is too large or incomplete.
    """
    check_url(url, allow_http=allow_http)
    shown = without_secrets(url)
    opener = urllib.request.build_opener(_Redirects(allow_http))
    request = urllib.request.Request(url, headers={"User-Agent": "snapship", "Accept-Encoding": "identity"})
    started, done = time.monotonic(), 0
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            announced = answer.headers.get("Content-Length", "")
            total = int(announced) if announced.isdecimal() else 0
            if total > max_bytes:
                raise _too_large(total, max_bytes, shown)
            while chunk := answer.read1(_CHUNK_BYTES):
                done += len(chunk)
                if done > max_bytes:
                    raise _too_large(done, max_bytes, shown)
                if time.monotonic() - started > DEADLINE_S:
                    raise TimeoutError(f"incomplete after {DEADLINE_S:.0f} s")
                into.write(chunk)
                progress("Downloading", done, total)
    except urllib.error.HTTPError as error:
        error.close()
        raise _unreadable(shown, f"HTTP {error.code}") from error
    except urllib.error.URLError as error:
        raise _unreadable(shown, str(error.reason)) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _unreadable(shown, str(error) or type(error).__name__) from error
    if total and done != total:
        raise _unreadable(shown, f"received {done:,} of {total:,} bytes")


def _too_large(size: int, limit: int, shown: str) -> UsageError:
    return UsageError(
        f"A download must have at most {limit:,} bytes. Received: {size:,} from {shown}. Check the source."
    )


def _unreadable(shown: str, reason: str) -> UsageError:
    return UsageError(
        f"A source must be readable. Received: {shown} ({reason}). Check the address and the network."
    )


_TIMEOUT_S = 30


def fetch_s3(bucket: str, key: str, into: BinaryIO, max_bytes: int, progress: Progress) -> None:
    """Downloads an object.

    Args:
        bucket: The bucket.
        key: The key.
        into: The file to write to.
        max_bytes: Limit of its size.
        progress: Called with bytes received and bytes in all.

    Raises:
        UsageError: The object does not exist, cannot be read, or is too large.
        EnvironmentMissingError: boto3 or credentials are missing.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )
    except ModuleNotFoundError as error:
        raise EnvironmentMissingError.of_extra("A source in S3", "boto3", "s3") from error
    shown = f"s3://{bucket}/{key}"
    settings = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"max_attempts": 3})
    try:
        answer = boto3.Session().client("s3", config=settings).get_object(Bucket=bucket, Key=key)
        total, done = int(answer["ContentLength"]), 0
        if total > max_bytes:
            raise UsageError(
                f"A download must have at most {max_bytes:,} bytes. Received: {total:,} from {shown}. "
                "Check the source."
            )
        # botocore raises if fewer bytes arrive than announced.
        for chunk in answer["Body"].iter_chunks(1 << 18):
            into.write(chunk)
            done += len(chunk)
            progress("Downloading", done, total)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise EnvironmentMissingError(
            f"A source in S3 needs AWS credentials. Received: none for {shown}. "
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure"
        ) from error
    except (BotoCoreError, ClientError) as error:
        raise UsageError(
            f"A source must be readable. Received: {shown} ({error}). Check its name and your permissions."
        ) from error
