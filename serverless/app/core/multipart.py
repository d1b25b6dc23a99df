"""Bodies as clients really send them: forms, images as text, and what was compressed or altered.

A part of a ``multipart/form-data`` body is an image if it has a file name, a binary type, or bytes
that are not text: React Native, Node's buffers and many HTTP libraries send files without a name. A
browser sends an unfilled file input as a nameless, empty file, which is ignored.

Everything stays in memory, within the body's limit: strangers' photos must not reach the disk.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterable
from typing import Any

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from edge_runtime.common.errors import ImageFormatError, UsageError
from edge_runtime.common.text import quoted, shortened
from serverless.app.core.http_problems import UnprocessableError

MAX_PARTS = 1_000
"""Maximum number of parts of a form; bounds what they cost besides their bytes."""

IMAGE_FIELDS = ("image", "images")
"""Text fields that hold an image in base64, like the members of a JSON body."""

_CHOICES = ("top_k", "score_threshold")

_AS_IT_IS = ("", "7bit", "8bit", "binary")

_PRINTED = bytes({*b"\t\n\f\r", *range(0x20, 0x100)})
"""Bytes of text in single-byte encodings; every image contains others too."""

_CURL = "With curl use: -F image=@photo.jpg"

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


class Part(msgspec.Struct):
    """One part of a form.

    Attributes:
        content: The part's bytes.
        headers: Values by lower-case name.
        name: The field's name.
        filename: None if the part has none.
    """

    content: bytearray = msgspec.field(default_factory=bytearray)
    headers: dict[bytes, bytes] = msgspec.field(default_factory=dict)
    name: str = ""
    filename: str | None = None

    @property
    def is_empty_input(self) -> bool:
        """Whether it is an unfilled file input."""
        return not self.content and (self.filename == "" or (self.filename is None and self._is_binary_kind))

    @property
    def is_image(self) -> bool:
        """Whether the part is meant as an image."""
        if self.filename is None and self.name in _CHOICES:
            return False
        if self.filename is not None or self._is_binary_kind:
            return not self.is_empty_input
        return not is_text(self.content)

    @property
    def text(self) -> str:
        """The content of a text field."""
        return self.content.decode("utf-8", "backslashreplace")

    def image(self) -> bytes:
        """The encoded image.

        Raises:
            UnprocessableError: Its transfer encoding is not supported, or it is not valid base64.
        """
        encoding = self.headers.get(b"content-transfer-encoding", b"").decode("latin-1").strip().lower()
        if encoding == "base64":
            return decode_base64(self.text)
        if encoding not in _AS_IT_IS:
            raise UnprocessableError(
                f"A part's Content-Transfer-Encoding must be binary or base64. Received: {quoted(encoding)} in "
                f"field {quoted(self.name)}. {_CURL}"
            )
        return bytes(self.content)

    @property
    def _is_binary_kind(self) -> bool:
        kind = self.headers.get(b"content-type", b"").lower()
        return kind.startswith((b"image/", b"application/octet-stream"))


class Form(msgspec.Struct, frozen=True):
    """A parsed form.

    Attributes:
        images: Encoded images, in order.
        texts: The other fields by name; the last of each name wins.
    """

    images: tuple[bytes, ...]
    texts: dict[str, str]


def is_text(content: bytes | bytearray) -> bool:
    """Whether bytes are text, which no image is: UTF-8 or a single-byte code page."""
    if not content.translate(None, _PRINTED):
        return True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


async def read_form(request: Request, max_images: int) -> Form:
    """Reads a form.

    Args:
        request: Its body is limited by :func:`serverless.app.http.middleware.limit_body`.
        max_images: Maximum number of images in one request.

    Raises:
        UsageError: It is malformed or has too many parts (400), or contains no image (422).
    """
    _, options = parse_options_header(request.headers["content-type"])
    if not options.get(b"boundary"):
        raise UsageError(
            "A multipart Content-Type must name its boundary. Received: none. Let the HTTP library set this header."
        )
    parts = await _parsed(options[b"boundary"], request.stream())
    images = [part.image() for part in parts if part.is_image]
    texts = {part.name: part.text for part in parts if not part.is_image and not part.is_empty_input}
    if not images:
        images = [_from_text(part) for part in parts if part.name in IMAGE_FIELDS and part.content]
    if len(images) > max_images:
        raise UsageError(
            f"A multipart body must have at most {max_images} files. Received: {len(images)}. "
            "Split it into several requests."
        )
    if not images:
        empty = sum(part.is_empty_input for part in parts)
        inputs = f" and {empty} file input{'s' if empty > 1 else ''} without a file" if empty else ""
        raise UnprocessableError(
            f"A multipart body must have a file. Received: {shortened(', '.join(sorted(texts))) or 'no'} "
            f"text fields{inputs}. {_CURL}"
        )
    return Form(tuple(images), texts)


def _from_text(part: Part) -> bytes:
    try:
        return decode_base64(part.text)
    except UnprocessableError as error:
        # Usually a file name without curl's @.
        raise UnprocessableError(
            f"The field {quoted(part.name)} of a form must be a file, or an image in base64. "
            f"Received: the text {quoted(part.text)}. {_CURL}"
        ) from error


async def _parsed(boundary: bytes, stream: AsyncIterable[bytes]) -> list[Part]:
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        async for chunk in stream:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise _broken(shortened(error)) from error
    if collector.is_open:
        raise _broken(f"it ends within part {len(collector.parts) + 1}")
    if not collector.parts and not collector.ended:
        raise _broken("nothing between its boundaries")
    return collector.parts


def _broken(reason: str) -> UsageError:
    return UsageError(f"A multipart body must be well-formed. Received: a broken one ({reason}). {_CURL}")


class _Collector:
    """Callbacks that collect the parts from the parser."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._part = Part()
        self._name, self._value = bytearray(), bytearray()

    @property
    def is_open(self) -> bool:
        """Whether a part has started but not ended."""
        return bool(self._name or self._part.headers or self._part.content)

    def callbacks(self) -> Any:
        """The callbacks by the parser's names."""
        names = (
            "part_data", "part_end", "header_field", "header_value", "header_end", "headers_finished", "end",
        )  # fmt: skip
        return {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._part.content += data[start:end]

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._part.headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        self._part.name = _decoded(options.get(b"name", b""))
        if b"filename" in options:
            self._part.filename = _decoded(options[b"filename"])

    def _part_end(self) -> None:
        self.parts.append(self._part)
        self._part = Part()
        if len(self.parts) > MAX_PARTS:
            raise UsageError(
                f"A multipart body must have at most {MAX_PARTS:,} parts. Received: more. Send fewer fields."
            )

    def _end(self) -> None:
        self.ended = True


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


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
