"""A direct invocation: the body of ``POST /classify`` in, its answer out.

``{"image": BASE64}`` or ``{"images": [BASE64, ...]}``, with ``top_k`` and ``score_threshold``
if wanted. Who invokes a function has no use for a Python error: what is wrong with the input
is problem details in the return value, told by their ``status``.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from edge_runtime.errors import SnapshipError
from serverless.app.errors import UnprocessableError
from serverless.app.events.invocation import Invocation
from serverless.app.intake import from_json
from serverless.app.problems import problem_of
from serverless.app.schema import Answer, Answers, Problem
from serverless.app.telemetry import RequestRecord


def handle(event: Any, invocation: Invocation) -> dict[str, Any]:
    """Classifies what the event brings.

    Args:
        event: What was given to Invoke.
        invocation: The call.

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
        # Through JSON, so that a caller in Python finds lists too.
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(content))
        return plain


def answered(body: bytes, invocation: Invocation, record: RequestRecord) -> Answer | Answers:
    """Reads a request in JSON and classifies its images.

    Args:
        body: The request.
        invocation: The call.
        record: Its line in the log.

    Raises:
        UsageError: It is no request.
        ImageError: Its only image cannot be used.
    """
    start = time.perf_counter()
    record.bytes = len(body)
    return invocation.answer(from_json(body, invocation.config.max_images), record, start)


def _body(event: Any) -> bytes:
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError as error:
        # JSON can write half of a character, and Python reads it.
        raise UnprocessableError(
            f"Text must be whole characters. Received: {error.reason}. Send an image as base64."
        ) from error
