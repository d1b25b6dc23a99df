"""A direct invocation: the body of ``POST /classify`` in, its answer out.

``{"image": BASE64}`` or ``{"images": [BASE64, ...]}``, optionally with ``top_k`` and
``score_threshold``. A caller has no use for a Python error: invalid input is answered with
problem details in the return value, recognizable by their ``status``.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from edge_runtime.common.errors import SnapshipError
from serverless.app.core.api_schema import Answer, Answers, Problem
from serverless.app.core.http_problems import UnprocessableError, problem_of
from serverless.app.core.request_reading import from_json
from serverless.app.core.telemetry import RequestRecord
from serverless.app.events.invocation import Invocation


def handle(event: Any, invocation: Invocation) -> dict[str, Any]:
    """Classifies the images of an event.

    Args:
        event: The payload of Invoke.
        invocation: The invocation.

    Returns:
        The JSON of ``POST /classify``, or a problem.
    """
    with invocation.logged("direct") as record:
        content: Answer | Answers | Problem
        try:
            content = answered(_body(event), invocation, record)
        except SnapshipError as error:
            if error.http_status >= 500:
                raise
            record.status, record.error = error.http_status, type(error).__name__
            content = problem_of(error, record.request_id)
        # Via JSON, so that a caller in Python gets lists.
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(content))
        return plain


def answered(body: bytes, invocation: Invocation, record: RequestRecord) -> Answer | Answers:
    """Reads a JSON request and classifies its images.

    Args:
        body: The request.
        invocation: The invocation.
        record: Its log record.

    Raises:
        UsageError: It is not a valid request.
        ImageError: Its only image cannot be used.
    """
    start = time.perf_counter()
    record.bytes = len(body)
    return invocation.answer(from_json(body, invocation.config.max_images), record, start)


def _body(event: Any) -> bytes:
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError as error:
        # JSON can contain half a surrogate pair, and Python accepts it.
        raise UnprocessableError(
            f"Text must consist of whole characters. Received: {error.reason}. Send an image as base64."
        ) from error
