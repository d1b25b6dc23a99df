"""Events without an image: schedules that keep the function warm, and the self-test."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import SnapshipError
from serverless.app.core.readiness import make_selftest
from serverless.app.core.telemetry import RequestRecord
from serverless.app.events.invocation import Invocation

SIDE = 64
"""Side of the warm-up image in pixels; it warms the JPEG decoder and the interpreter."""


def handle(event: Any, invocation: Invocation) -> dict[str, Any]:
    """Classifies a gray image, so that the next request finds everything loaded.

    Args:
        event: Not used.
        invocation: The invocation.

    Returns:
        ``{"warm": True, "classify_ms": ...}``.
    """
    with invocation.logged("warmup") as record:
        return {"warm": True, "classify_ms": round(_classify_gray(invocation, record), 3)}


def selftest(event: Any, invocation: Invocation) -> dict[str, Any]:
    """Replays the bundle's golden examples in this function.

    Args:
        event: Not used.
        invocation: The invocation.

    Returns:
        ``passed``; ``selftest``, which is ``passed``, ``failed``, or ``none`` if the bundle has no
        examples; the number of ``examples``; the model; and after a failure ``detail``.
    """
    service = invocation.service
    with invocation.logged("direct") as record:
        # Also if there are no examples: a model that does not run must not pass.
        _classify_gray(invocation, record)
        found: dict[str, Any] = {
            "passed": True,
            "selftest": "none",
            "examples": 0,
            "bundle": service.served.name,
            "artifact": service.served.artifact,
            "engine": service.model.engine,
            "request_id": record.request_id,
        }
        # Not the result kept for /ready, which lacks the reason; a caller of Invoke may see it.
        replay = None
        if isinstance(service.model, Classifier):
            replay = make_selftest(service.model, invocation.config.threads)
        if replay is None:
            return found
        try:
            return {**found, "selftest": "passed", "examples": replay()}
        except SnapshipError as error:
            record.status = 500
            record.failed(error)
            return {**found, "passed": False, "selftest": "failed", "detail": str(error)}


def _classify_gray(invocation: Invocation, record: RequestRecord) -> float:
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (128, 128, 128)).save(buffer, "JPEG")
    examined = invocation.service.classify_one(buffer.getvalue(), 1)
    record.decode_ms, record.classify_ms = examined.decode_ms, examined.classify_ms
    return examined.classify_ms
