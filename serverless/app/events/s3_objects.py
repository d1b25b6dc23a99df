"""Classifies an object in S3 and writes the result to S3.

The result of ``s3://BUCKET/KEY`` is written to ``s3://BUCKET/KEY.json``, or with
SNAPSHIP_RESULTS=s3://OTHER/PREFIX/ to ``s3://OTHER/PREFIX/BUCKET/KEY.json``. It cannot
become the next event's object: keys that end in ``.json`` or lie under PREFIX are skipped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.common.errors import ImageError, ImageTooLargeError
from edge_runtime.common.text import quoted, shortened
from serverless.app.core.api_schema import Answer, Problem, Served
from serverless.app.core.http_problems import ForbiddenError, problem_of
from serverless.app.core.request_reading import ClassifyRequest
from serverless.app.events.invocation import Invocation

if TYPE_CHECKING:
    from serverless.app.core.telemetry import RequestRecord

RESULT_SUFFIX = ".json"

SKIPPED = 204
"""Logged status of an object that is not an image to classify, like HTTP's No Content."""


@dataclass(frozen=True)
class S3Object:
    """An object that was created.

    Attributes:
        bucket: Its bucket.
        key: Its key, not URL-encoded.
        version_id: Empty in a bucket without versioning.
        size: Size in bytes according to the event; None if not given.
        top_k: Number of classes; None takes the configured default.
        score_threshold: Lowest score to return; None returns all.
    """

    bucket: str
    key: str
    version_id: str = ""
    size: int | None = None
    top_k: int | None = None
    score_threshold: float | None = None

    def __str__(self) -> str:
        """Its address, for messages."""
        return address(self.bucket, self.key)


class ObjectSource(msgspec.Struct, frozen=True, omit_defaults=True):
    """The object that a result belongs to."""

    bucket: str
    key: str
    version_id: str = ""


class ObjectClassified(Answer, frozen=True, kw_only=True):
    """The result of an object: the answer of ``POST /classify`` and the object."""

    source: ObjectSource


class ObjectFailed(msgspec.Struct, frozen=True):
    """The result of an object that is not a usable image; trying again would not help."""

    error: Problem
    model: Served
    source: ObjectSource


@cache
def s3() -> Any:
    """The client, created on first use."""
    from serverless.aws import client

    return client("s3")


def process(item: S3Object, invocation: Invocation, record: RequestRecord) -> None:
    """Classifies an object and writes its result, which may be an image error.

    Args:
        item: The object.
        invocation: The invocation.
        record: Its log record.

    Raises:
        ForbiddenError: The bucket is not configured.
        SnapshipError: Reading or writing failed.
    """
    config = invocation.config
    if item.bucket not in config.s3_buckets:
        raise ForbiddenError(
            f"An object's bucket must be in SNAPSHIP_S3_BUCKETS. Received: {quoted(item.bucket)}, allowed: "
            f"{', '.join(config.s3_buckets) or 'none'}. Add it there, or remove what sends its events."
        )
    if is_skipped(item, config.results):
        record.status = SKIPPED
        return
    source = ObjectSource(item.bucket, item.key, item.version_id)
    result: ObjectClassified | ObjectFailed
    try:
        result = _classified(item, source, invocation, record)
    except ImageError as error:
        record.status, record.error = error.http_status, type(error).__name__
        result = ObjectFailed(problem_of(error, record.request_id), invocation.service.served, source)
    bucket, key = result_place(item, config.results)
    write(bucket, key, result)


def write(bucket: str, key: str, result: msgspec.Struct) -> None:
    """Writes a result as JSON.

    Args:
        bucket: Target bucket.
        key: Target key.
        result: The result.

    Raises:
        SnapshipError: Writing failed.
    """
    from serverless.aws import answered

    with answered(f"Writing {address(bucket, key)}"):
        s3().put_object(
            Bucket=bucket, Key=key, Body=msgspec.json.encode(result), ContentType="application/json"
        )


def address(bucket: str, key: str) -> str:
    """An object's address, for messages.

    Args:
        bucket: Its bucket.
        key: Its key, of which S3 allows 1,024 bytes.
    """
    return shortened(f"s3://{bucket}/{key}", 300)


def is_skipped(item: S3Object, results: str) -> bool:
    """Whether an object is a result, or an empty folder marker.

    Args:
        item: The object.
        results: SNAPSHIP_RESULTS.
    """
    bucket, prefix = split(results)
    is_result = item.key.lower().endswith(RESULT_SUFFIX)
    among_results = bool(prefix) and item.bucket == bucket and item.key.startswith(prefix)
    return is_result or among_results or item.key.endswith("/")


def result_place(item: S3Object, results: str) -> tuple[str, str]:
    """Bucket and key of an object's result.

    Args:
        item: The object.
        results: SNAPSHIP_RESULTS.
    """
    if not results:
        return item.bucket, item.key + RESULT_SUFFIX
    bucket, prefix = split(results)
    # With its bucket, since two buckets may contain the same key.
    return bucket, f"{prefix}{item.bucket}/{item.key}{RESULT_SUFFIX}"


def split(results: str) -> tuple[str, str]:
    """Bucket and prefix of SNAPSHIP_RESULTS; the prefix is empty or ends with a slash."""
    bucket, _, prefix = results.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def _classified(
    item: S3Object, source: ObjectSource, invocation: Invocation, record: RequestRecord
) -> ObjectClassified:
    start = time.perf_counter()
    image = _read(item, invocation.config.max_image_bytes or invocation.config.max_bytes, record)
    request = ClassifyRequest((image,), item.top_k, item.score_threshold)
    answer = invocation.answer(request, record, start)
    return ObjectClassified(**msgspec.structs.asdict(answer), source=source)


def _read(item: S3Object, max_bytes: int, record: RequestRecord) -> bytes:
    """Downloads an object; checks its size as announced, as S3 reports it, and as received."""
    from serverless.aws import answered

    if item.size is not None:
        record.bytes = item.size
        _check_size(item.size, max_bytes)
    version = {"VersionId": item.version_id} if item.version_id else {}
    with answered(f"Reading {item}"):
        found = s3().get_object(Bucket=item.bucket, Key=item.key, **version)
        with found["Body"] as body:
            record.bytes = int(found["ContentLength"])
            _check_size(record.bytes, max_bytes)
            image: bytes = body.read(max_bytes + 1)
    _check_size(len(image), max_bytes)
    return image


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ImageTooLargeError(
            f"An image must have at most {max_bytes:,} bytes. Received: {size:,}. Store a smaller one."
        )
