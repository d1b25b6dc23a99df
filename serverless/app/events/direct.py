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
from serverless.app.events.invocation import Invocation, options_of
from serverless.app.intake import Order, from_json
from serverless.app.problems import problem_of
from serverless.app.schema import Answer, Answers, Failed, Problem, Timing, answer, classified
from serverless.app.service import Examined
from serverless.app.telemetry import Record


def handle(event: Any, invocation: Invocation) -> dict[str, Any]:
    """Classifies what the event brings.

    Args:
        event: What was given to Invoke.
        invocation: The call.

    Returns:
        The JSON of ``POST /classify``, or a problem.
    """
    with invocation.noted("direct") as record:
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


def answered(body: bytes, invocation: Invocation, record: Record) -> Answer | Answers:
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
    settings, service = invocation.settings, invocation.service
    order = from_json(body, settings.max_images)
    read = time.perf_counter()
    record.bytes, record.images, record.read_ms = len(body), len(order.images), (read - start) * 1000
    found = [_attempt(image, order, invocation) for image in order.images]
    record.took([one for one in found if isinstance(one, Examined)])
    timing = Timing(round(record.read_ms, 3), round((time.perf_counter() - read) * 1000, 3))
    if order.several:
        each = tuple(
            Failed(problem_of(one)) if isinstance(one, SnapshipError) else classified(one.result)
            for one in found
        )
        return Answers(each, service.served, timing)
    (only,) = found
    if isinstance(only, SnapshipError):
        raise only
    return answer(only.result, service.served, timing)


def _body(event: Any) -> bytes:
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError as error:
        # JSON can write half of a character, and Python reads it.
        raise UnprocessableError(
            f"Text must be whole characters. Received: {error.reason}. Send an image as base64."
        ) from error


def _attempt(image: bytes | SnapshipError, order: Order, invocation: Invocation) -> Examined | SnapshipError:
    if isinstance(image, SnapshipError):
        return image
    top_k = order.top_k or invocation.settings.top_k
    try:
        return invocation.service.examine(image, top_k, options_of(order.score_threshold))
    except SnapshipError as error:
        if error.http_status >= 500:
            raise
        return error
