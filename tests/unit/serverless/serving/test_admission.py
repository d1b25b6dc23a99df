"""The gate around the app, without a server."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from serverless.app import create_app
from serverless.app.core.service import Service
from serverless.serving.admission import Admission
from serverless.serving.limits import ServerLimits

LIMITS = ServerLimits(max_bytes=1000, buffered_bytes=2000)


def posted(gate: Admission, size: int) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of a classification with a body of that size."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/classify", "raw_path": b"/classify", "headers": []}
    scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("test", 80)}
    asyncio.run(gate(scope, receive, send, unread=lambda: False, drop=lambda: None))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, json.loads(sent[1]["body"])


def test_no_room_is_told_with_its_reason_and_without_a_trace(
    service: Service, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    gate = Admission(create_app(service, max_bytes=5000, max_images=3, log="json"), LIMITS)
    with caplog.at_level(logging.INFO):
        status, headers, problem = posted(gate, LIMITS.room + 1)
    assert (status, headers["retry-after"]) == (503, "1")
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:snapship:busy-error"
    assert "at most 2,000 bytes. Received: 2,001. Try again" in problem["detail"]
    (line,) = capsys.readouterr().out.splitlines()
    logged = json.loads(line)
    assert (logged["status"], logged["error"]) == (503, "BusyError")
    assert logged["request_id"] == problem["request_id"] == headers["x-request-id"]
    assert "trace" not in logged
    assert not caplog.records
    # What was refused is not counted any more.
    assert gate.buffered == 0
    assert posted(gate, 10)[0] == 200
