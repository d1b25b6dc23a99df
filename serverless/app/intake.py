"""From a request to encoded images: raw bytes, multipart or JSON, told apart by Content-Type."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

import msgspec
from python_multipart.exceptions import FormParserError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from edge_runtime.errors import ImageFormatError, SnapshipError, UsageError
from serverless.app.errors import UnprocessableError
from serverless.app.schema import ImageRequest

MAX_FIELDS = 16
"""Limit of text fields in a multipart body; ``top_k`` is the only one that is read."""

MAX_FIELD_BYTES = 1_000
"""Limit of one text field."""

_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)

_WHITESPACE = str.maketrans("", "", " \t\r\n")


@dataclass(frozen=True)
class Order:
    """What a request asks for.

    Attributes:
        images: Encoded images, or the error of one that could not be read.
        top_k: How many classes; None when the request does not say.
        several: Whether the answer is a list, whatever the number of images.
    """

    images: tuple[bytes | SnapshipError, ...]
    top_k: int | None = None
    several: bool = False


async def read_order(request: Request, max_images: int) -> Order:
    """Reads ``POST /classify``.

    Args:
        request: Its body is limited by :func:`serverless.app.limits.limited`.
        max_images: Limit of images in one request.

    Raises:
        UsageError: The body is broken (400) or breaks a rule (422).
        ImageFormatError: The Content-Type is none that holds an image (415).
        ImageTooLargeError: The body is over its limit (413).
    """
    # Before the body: a wrong query needs no upload to be refused.
    wanted = _query_top_k(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        order = await _from_form(request, max_images)
    elif kind == "application/json":
        order = await run_in_threadpool(from_json, await request.body(), max_images)
    elif kind in ("", "application/octet-stream") or kind.startswith("image/"):
        order = Order((await request.body(),))
    else:
        raise ImageFormatError(
            "The Content-Type must be image/*, application/octet-stream, multipart/form-data or "
            f"application/json. Received: {kind[:100]!r}. "
            "With curl use: --data-binary @photo.jpg -H 'Content-Type: image/jpeg'"
        )
    return Order(order.images, order.top_k if wanted is None else wanted, order.several)


def from_json(body: bytes, max_images: int) -> Order:
    """Reads a JSON body, see :class:`serverless.app.schema.ImageRequest`.

    Args:
        body: The JSON text.
        max_images: Limit of ``images``.

    Raises:
        UsageError: It is no JSON (400), or breaks the schema or a rule (422).
    """
    try:
        content = msgspec.json.decode(body, type=ImageRequest)
    except msgspec.ValidationError as error:
        raise UnprocessableError(
            'A JSON body must be {"image": BASE64} or {"images": [BASE64, ...]}, with "top_k" if wanted. '
            f"Received: {error}. Correct that field."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"A JSON body must be JSON. Received: {reason}. Check what is sent.") from error
    if (content.image is None) == (content.images is None):
        received = "neither" if content.image is None else "both"
        raise UnprocessableError(
            f'A JSON body must have one of "image" and "images". Received: {received}. Send one of them.'
        )
    if content.image is not None:
        return Order((decode_base64(content.image),), content.top_k)
    texts = content.images or ()
    _check_count(len(texts), max_images)
    return Order(tuple(_attempt(text) for text in texts), content.top_k, several=True)


def decode_base64(text: str) -> bytes:
    """Decodes an image in JSON.

    Args:
        text: Base64 or a ``data:`` URL; line breaks, as many encoders write them, are dropped.

    Raises:
        UnprocessableError: It is neither.
    """
    prefix = _DATA_URL.match(text)
    plain = text[prefix.end() :] if prefix else text
    try:
        return base64.b64decode(plain.translate(_WHITESPACE), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnprocessableError(
            f"An image in JSON must be base64 or a data:...;base64, URL. Received: {text[:24]!r} ({error}). "
            "Encode the file with: base64 -w0 photo.jpg"
        ) from error


def parse_top_k(text: str) -> int:
    """Reads ``top_k`` from a query or a form.

    Raises:
        UnprocessableError: It is no whole number of at least 1.
    """
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text, re.ASCII):
        raise UnprocessableError(
            f"top_k must be a whole number of at least 1. Received: {text[:24]!r}. Pass top_k=5."
        )
    return int(text)


async def _from_form(request: Request, max_images: int) -> Order:
    try:
        form = request.form(max_files=max_images, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
        async with form as parts:
            files = [part for _, part in parts.multi_items() if isinstance(part, UploadFile)]
            texts = {name: part for name, part in parts.multi_items() if isinstance(part, str)}
            images = tuple([await file.read() for file in files])
    except (HTTPException, FormParserError) as error:
        # Older Starlettes let the parser's own error through.
        reason = error.detail if isinstance(error, HTTPException) else "Invalid multipart data."
        raise UsageError(
            f"A multipart body must be well-formed, with at most {max_images} files. "
            f"Received: {reason} With curl use: -F image=@photo.jpg"
        ) from error
    if not images:
        raise UnprocessableError(
            f"A multipart body must have a file. Received: {', '.join(sorted(texts))[:100] or 'no'} "
            "text fields. With curl use: -F image=@photo.jpg"
        )
    top_k = parse_top_k(texts["top_k"]) if "top_k" in texts else None
    return Order(images, top_k, several=len(images) > 1)


def _query_top_k(request: Request) -> int | None:
    text = request.query_params.get("top_k")
    return None if text is None else parse_top_k(text)


def _check_count(count: int, max_images: int) -> None:
    if not 1 <= count <= max_images:
        raise UnprocessableError(
            f"A request must have 1 to {max_images} images. Received: {count}. Split it into several."
        )


def _attempt(text: str) -> bytes | SnapshipError:
    try:
        return decode_base64(text)
    except UnprocessableError as error:
        return error
