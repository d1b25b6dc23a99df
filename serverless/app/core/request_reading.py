"""Parses requests into encoded images: raw bytes, multipart or JSON, by Content-Type."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from edge_runtime.common.errors import ImageFormatError, SnapshipError, UsageError
from edge_runtime.common.text import quoted, shortened
from edge_runtime.options import ResultOptions
from serverless.app.core.api_schema import MAX_TOP_K, ImageRequest
from serverless.app.core.http_problems import UnprocessableError
from serverless.app.core.multipart import (
    check_content_encoding,
    check_line_breaks,
    decode_base64,
    is_text,
    json_text,
    read_form,
)

# The last is what S3 and its clients use for objects without a type.
_BINARY = ("", "application/octet-stream", "binary/octet-stream")

# As JSON writes numbers: no nan, no inf, no underscores.
_DECIMAL = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,400})?(?:[eE][-+]?[0-9]{1,4})?", re.ASCII)


class ClassifyRequest(msgspec.Struct, frozen=True):
    """A parsed request.

    Attributes:
        images: Encoded images, or the error of one that could not be read.
        top_k: Number of classes; None if the request does not set it.
        score_threshold: Lowest score to return; None returns all.
        several: Whether the answer is a list, regardless of the number of images.
    """

    images: tuple[bytes | SnapshipError, ...]
    top_k: int | None = None
    score_threshold: float | None = None
    several: bool = False

    @property
    def options(self) -> ResultOptions | None:
        """The runtime's options; None for the default."""
        return None if self.score_threshold is None else ResultOptions(score_threshold=self.score_threshold)


async def read_classify_request(request: Request, max_images: int) -> ClassifyRequest:
    """Reads ``POST /classify``.

    Args:
        request: Its body is limited by :func:`serverless.app.http.middleware.limit_body`.
        max_images: Maximum number of images in one request.

    Raises:
        UsageError: The body is malformed (400) or breaks a rule (422).
        ImageFormatError: The Content-Type is not supported (415).
        ImageTooLargeError: The body is over its limit (413).
    """
    # Before the body: a wrong query is refused without waiting for the upload.
    options = _options(request.query_params)
    check_content_encoding(request.headers.get("content-encoding", ""))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = await read_form(request, max_images)
        parsed = ClassifyRequest(form.images, several=len(form.images) > 1, **_options(form.texts))
    elif kind == "application/json":
        body = await request.body()
        # Not Starlette's run_in_threadpool, whose first use costs a Lambda function 50 ms.
        parsed = await asyncio.get_running_loop().run_in_executor(None, from_json, body, max_images)
    elif kind in _BINARY or kind.startswith("image/"):
        parsed = ClassifyRequest((await request.body(),))
    elif kind == "application/x-www-form-urlencoded":
        parsed = _default_of_curl(await request.body())
    else:
        raise _no_image_type(quoted(kind))
    return msgspec.structs.replace(parsed, **options)


def from_json(body: bytes, max_images: int) -> ClassifyRequest:
    """Reads a JSON body, see :class:`serverless.app.core.api_schema.ImageRequest`.

    Args:
        body: The JSON text.
        max_images: Maximum number of ``images``.

    Raises:
        UsageError: It is not JSON (400), or breaks the schema or a rule (422).
    """
    try:
        content = msgspec.json.decode(json_text(body), type=ImageRequest)
    except msgspec.ValidationError as error:
        raise UnprocessableError(
            'A JSON body must be {"image": BASE64} or {"images": [BASE64, ...]}, optionally with '
            '"top_k" and "score_threshold". '
            f"Received: {shortened(error, 200)}. Correct that field."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"A JSON body must be valid JSON. Received: {shortened(error)}. Check what is sent."
        ) from error
    if (content.image is None) == (content.images is None):
        received = "neither" if content.image is None else "both"
        raise UnprocessableError(
            f'A JSON body must have exactly one of "image" and "images". Received: {received}. Send one of them.'
        )
    if content.image is not None:
        return ClassifyRequest((decode_base64(content.image),), content.top_k, content.score_threshold)
    texts = content.images or ()
    _check_count(len(texts), max_images)
    each = tuple(_attempt(text) for text in texts)
    return ClassifyRequest(each, content.top_k, content.score_threshold, several=True)


def parse_top_k(text: str) -> int:
    """Reads ``top_k`` from a query or a form.

    Raises:
        UnprocessableError: It is not a whole number from 1 to :data:`MAX_TOP_K`.
    """
    # Nine digits: MAX_TOP_K is the largest of them.
    if not re.fullmatch("0{0,9}[1-9][0-9]{0,8}", text, re.ASCII):
        raise UnprocessableError(
            f"top_k must be a whole number from 1 to {MAX_TOP_K}. Received: {quoted(text)}. Pass top_k=5."
        )
    return int(text)


def parse_threshold(text: str) -> float:
    """Reads ``score_threshold`` from a query or a form.

    Raises:
        UnprocessableError: It is not a number from 0 to 1.
    """
    if not _DECIMAL.fullmatch(text) or not 0.0 <= float(text) <= 1.0:
        raise UnprocessableError(
            f"score_threshold must be a number from 0 to 1. Received: {quoted(text)}. Pass score_threshold=0.5."
        )
    return float(text)


def _options(texts: Mapping[str, str]) -> dict[str, Any]:
    """The options in a query or in a form's text fields."""
    parsers = {"top_k": parse_top_k, "score_threshold": parse_threshold}
    return {name: parse(texts[name]) for name, parse in parsers.items() if name in texts}


def _default_of_curl(body: bytes) -> ClassifyRequest:
    """An image labelled as a form, which is the default of ``curl --data-binary``."""
    if is_text(body):
        raise _no_image_type("'application/x-www-form-urlencoded' with text")
    check_line_breaks(body)
    return ClassifyRequest((body,))


def _no_image_type(received: str) -> ImageFormatError:
    return ImageFormatError(
        "The Content-Type must be image/*, application/octet-stream, multipart/form-data or "
        f"application/json. Received: {received}. "
        "With curl use: --data-binary @photo.jpg -H 'Content-Type: image/jpeg'"
    )


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
