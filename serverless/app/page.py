"""The page of ``GET /``: one file that sends requests only to this endpoint."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from starlette.responses import Response

PAGE = Path(__file__).with_name("page.html")


def page_response() -> Response:
    """The page, under a policy that allows only its own script and style."""
    html, headers = _page()
    return Response(html, headers=headers, media_type="text/html")


@cache
def _page() -> tuple[bytes, dict[str, str]]:
    """The file and its headers; read at the first request, since most functions never serve it."""
    html = PAGE.read_bytes()
    return html, {
        "Content-Security-Policy": policy(html),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }


def policy(html: bytes) -> str:
    """The Content-Security-Policy of a page with one script and one style inside.

    Both are allowed by hash, so that nothing injected into the page can run, and Trusted Types
    keep the script itself from turning text into HTML.

    Args:
        html: The page.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash_of(b'script', html)}",
            f"style-src {_hash_of(b'style', html)}",
            # Thumbnails are object URLs; the icon is a data URL.
            "img-src blob: data:",
            "media-src blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def _hash_of(tag: bytes, html: bytes) -> str:
    (content,) = re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), html, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"
