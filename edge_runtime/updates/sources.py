"""Sources of updates: a path, ``https://`` or ``s3://``.

HTTPS is the standard library's: nothing more to install on a device. S3 is boto3's, which no other
file of the runtime imports, and this one only for ``s3://``. Credentials, region and endpoint are
configured for boto3: environment variables such as ``AWS_ENDPOINT_URL_S3``, ``~/.aws``, or the
machine's role.
"""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import urlsplit

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.common.progress import Progress

MAX_BYTES = 2_000_000_000
"""Limit of a download, and of all files of a bundle together, in bytes."""

TIMEOUT_S = 30.0
"""Longest silence of the server."""

DEADLINE_S = 3600.0
"""Longest download; a server that drips a byte now and then must not hold a device for ever."""

_CHUNK_BYTES = 1 << 18


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
    with file.open("xb") as into:
        if scheme == "s3":
            bucket, _, key = rest.partition("/")
            fetch_s3(bucket, key, into, max_bytes, progress)
        else:
            fetch_https(source, into, max_bytes, progress, allow_http=allow_http)
    return file


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
            f"A download must be encrypted. Received: {shown(url)}. "
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
    opener = urllib.request.build_opener(_Redirects(allow_http))
    request = urllib.request.Request(url, headers={"User-Agent": "snapship", "Accept-Encoding": "identity"})
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            announced = answer.headers.get("Content-Length", "")
            total = int(announced) if announced.isdecimal() else 0
            chunks = iter(lambda: answer.read1(_CHUNK_BYTES), b"")
            _write_chunks(chunks, into, total, max_bytes, progress, shown(url))
    except urllib.error.HTTPError as error:
        error.close()
        raise _unreadable(shown(url), f"HTTP {error.code}") from error
    except urllib.error.URLError as error:
        raise _unreadable(shown(url), str(error.reason)) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _unreadable(shown(url), str(error) or type(error).__name__) from error


def fetch_s3(bucket: str, key: str, into: BinaryIO, max_bytes: int, progress: Progress) -> None:
    """Downloads an object.

    Args:
        bucket: The bucket.
        key: The key.
        into: The file to write to.
        max_bytes: Limit of its size.
        progress: Called with bytes received and bytes in all.

    Raises:
        UsageError: The object does not exist, cannot be read, is too large or takes too long.
        EnvironmentMissingError: boto3 or credentials are missing.
    """
    try:
        import boto3
        from botocore import exceptions
        from botocore.config import Config
    except ModuleNotFoundError as error:
        raise EnvironmentMissingError.of_extra("A source in S3", "boto3", "s3") from error
    name = f"s3://{bucket}/{key}"
    settings = Config(connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"max_attempts": 3})
    try:
        answer = boto3.Session().client("s3", config=settings).get_object(Bucket=bucket, Key=key)
        chunks = answer["Body"].iter_chunks(_CHUNK_BYTES)
        _write_chunks(chunks, into, int(answer["ContentLength"]), max_bytes, progress, name)
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise EnvironmentMissingError(
            f"A source in S3 needs AWS credentials. Received: none for {name}. "
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure"
        ) from error
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise UsageError(
            f"A source must be readable. Received: {name} ({error}). Check its name and your permissions."
        ) from error


def _write_chunks(
    chunks: Iterable[bytes], into: BinaryIO, total: int, max_bytes: int, progress: Progress, name: str
) -> None:
    """Writes what arrives, within the limits of size and time; a total of 0 is unknown."""
    if total > max_bytes:
        raise _too_large(total, max_bytes, name)
    started, done = time.monotonic(), 0
    for chunk in chunks:
        done += len(chunk)
        if done > max_bytes:
            raise _too_large(done, max_bytes, name)
        if time.monotonic() - started > DEADLINE_S:
            raise _unreadable(name, f"incomplete after {DEADLINE_S:.0f} s")
        into.write(chunk)
        progress("Downloading", done, total)
    if total and done != total:
        raise _unreadable(name, f"received {done:,} of {total:,} bytes")


def _too_large(size: int, limit: int, name: str) -> UsageError:
    return UsageError(
        f"A download must have at most {limit:,} bytes. Received: {size:,} from {name}. Check the source."
    )


def _unreadable(name: str, reason: str) -> UsageError:
    return UsageError(
        f"A source must be readable. Received: {name} ({reason}). Check the address and the network."
    )
