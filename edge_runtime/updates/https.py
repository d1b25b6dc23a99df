"""Fetches a file by HTTPS with the standard library: nothing more to install on a device."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from typing import IO, BinaryIO
from urllib.parse import urlsplit

from edge_runtime.errors import UsageError
from edge_runtime.progress import Progress

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
