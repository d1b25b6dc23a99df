"""Fuzz target: any bytes are a request that is answered without a 5xx, and an event that is told in one line."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["serverless", "starlette", "python_multipart"]):
    from edge_runtime.common.errors import UsageError
    from serverless.app import create_app
    from serverless.app.core.keys import parse
    from serverless.app.events import s3
    from serverless.app.events.dispatch import kind_of

BUNDLE = Path(__file__).resolve().parent.parent / "tests" / "data" / "digits.bundle"

KINDS = (b"multipart/form-data; boundary=x", b"application/json", b"image/png", b"")
"""The first byte of an input chooses; all of its bits also say how the rest is cut into messages."""

LOOP = asyncio.new_event_loop()

APP: Any = create_app(BUNDLE, workers=1, max_bytes=100_000, max_pixels=100_000)


def test_one_input(data: bytes) -> None:
    """Tries one input."""
    if data:
        asked(KINDS[data[0] % len(KINDS)], data[1:], 1 + data[0])
    told(data)


def asked(kind: bytes, body: bytes, step: int) -> None:
    """Sends a body to the app; the query is its beginning."""
    messages = [
        {"type": "http.request", "body": body[at : at + step], "more_body": True}
        for at in range(0, len(body), step)
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/classify", "raw_path": b"/classify", "query_string": body[:20], "root_path": "",
        "headers": [(b"content-type", kind)], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    LOOP.run_until_complete(APP(scope, receive, send))
    status = answer[0]["status"]
    json.loads(b"".join(message.get("body", b"") for message in answer))
    if status >= 500:
        raise AssertionError(f"status {status}")


def told(data: bytes) -> None:
    """Takes the bytes for an event of a service, and for the text of API keys."""
    try:
        parse(data.decode("utf-8", "replace"))
    except UsageError as error:
        check(error)
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        if kind_of(event) == "s3":
            s3.created_objects(event)
    except UsageError as error:
        check(error)


def check(error: UsageError) -> None:
    """Fails for a message of several lines."""
    if "\n" in str(error):
        raise AssertionError(f"not a one-line error: {error}") from error


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
