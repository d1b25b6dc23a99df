"""Decodes images from text (base64 in all its variants) and rejects encoded or altered bodies."""

from __future__ import annotations

import base64
import binascii
import re

from edge_runtime.errors import ImageFormatError, UsageError
from edge_runtime.quoting import quoted, shortened
from serverless.app.errors import UnprocessableError

_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)

_ADDRESS = re.compile(r"(https?|ftp|file|s3|gs|blob):", re.IGNORECASE)

_PERCENT = re.compile("%(2B|2F|3D)", re.IGNORECASE)

_BOM = "\ufeff"

# What encoders write besides the alphabet, and the URL-safe alphabet (RFC 4648 section 5).
_PLAIN = {**dict.fromkeys(map(ord, f" \t\r\n{_BOM}")), ord("-"): "+", ord("_"): "/"}

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"{\0": "UTF-16",
    b"\0{": "UTF-16",
}


def check_content_encoding(encoding: str) -> None:
    """Refuses a compressed body: images are compressed already, and a small body must not expand to a huge one.

    Args:
        encoding: The header; empty if absent.

    Raises:
        ImageFormatError: It is not ``identity`` (415).
    """
    if encoding.strip().lower() not in ("", "identity"):
        raise ImageFormatError(
            f"A body must not have a Content-Encoding. Received: {quoted(encoding)}. "
            "Send it uncompressed, without that header."
        )


def check_line_breaks(body: bytes) -> None:
    """Refuses an image damaged by ``curl -d @photo.jpg``, which drops every line break and NUL.

    Args:
        body: Bytes that are not text.

    Raises:
        UsageError: It contains none of them, which does not happen in an image of that size.
    """
    if len(body) > 2_000 and not any(sign in body for sign in (b"\n", b"\r", b"\0")):
        raise UsageError(
            f"An image must arrive unchanged. Received: {len(body):,} bytes without a line break or NUL, as "
            "curl -d sends a file. Use --data-binary instead."
        )


def json_text(body: bytes) -> bytes:
    """Drops the byte order mark that some editors and .NET write before JSON.

    Args:
        body: A JSON body.

    Raises:
        UsageError: It is compressed or in UTF-16.
    """
    for magic, name in _MAGIC.items():
        if body.startswith(magic):
            raise UsageError(
                f"A JSON body must be JSON in UTF-8, uncompressed. Received: {name}. Write it as UTF-8 text."
            )
    return body.removeprefix(_BOM.encode())


def decode_base64(text: str) -> bytes:
    """Decodes an image in JSON or in a text field.

    Args:
        text: Base64 or base64url, with or without its padding, or a ``data:`` URL; white space and
            a byte order mark are dropped, since many encoders write them.

    Raises:
        UnprocessableError: It is not base64.
    """
    text = text.lstrip(f"{_BOM} \t\r\n")
    prefix = _DATA_URL.match(text)
    if prefix is None and _ADDRESS.match(text):
        raise _no_base64(text, "an address; images are not fetched")
    if prefix is None and text[:5].lower() == "data:":
        raise _no_base64(text, "a data: URL without ;base64")
    plain = (text[prefix.end() :] if prefix else text).translate(_PLAIN).rstrip("=")
    if _PERCENT.search(plain):
        raise _no_base64(text, "percent-encoded as for a URL")
    if len(plain) % 4 == 1:
        raise _no_base64(text, f"{len(plain):,} characters: it is truncated")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_base64(text, shortened(error)) from error


def _no_base64(text: str, reason: str) -> UnprocessableError:
    return UnprocessableError(
        f"An image in text must be base64 or a data:...;base64, URL. Received: {quoted(text)} ({reason}). "
        "Encode the file with: base64 -w0 photo.jpg"
    )
