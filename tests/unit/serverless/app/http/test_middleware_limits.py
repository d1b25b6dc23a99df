"""The limit of a request's body. The app under test allows 1,000 bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

Ask = Callable[..., httpx.Response]


def test_the_limit_itself_is_allowed(ask: Ask) -> None:
    assert ask("POST", "/classify", content=b"x" * 1000).status_code == 200
    assert ask("POST", "/classify", content=b"x" * 1001).status_code == 413


@pytest.mark.parametrize("length", ["1001", "9" * 30])
def test_a_declared_size_is_refused_before_reading(app: Starlette, length: str) -> None:
    reads, sent = _run(app, [(b"content-length", length.encode())], chunks=1)
    assert sent[0]["status"] == 413
    assert reads == 0


def test_an_undeclared_size_is_refused_while_reading(app: Starlette) -> None:
    reads, sent = _run(app, [], chunks=1_000_000)
    assert sent[0]["status"] == 413
    assert reads == 11  # 100 bytes each


@pytest.mark.parametrize(
    "kind",
    [b"multipart/form-data; boundary=b", b"application/json", b"image/jpeg", b"application/octet-stream"],
)
def test_every_kind_of_body_is_limited(app: Starlette, kind: bytes) -> None:
    start = (
        b'--b\r\nContent-Disposition: form-data; name="i"; filename="f"\r\n\r\n' if b"multi" in kind else b""
    )
    reads, sent = _run(app, [(b"content-type", kind)], chunks=1_000_000, start=start)
    assert sent[0]["status"] == 413
    assert reads <= 12


def test_a_false_length_does_not_help(ask: Ask) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    response = ask("POST", "/classify", content=stream(), headers={"content-length": "5"})
    assert response.status_code == 413
    assert "1,000 bytes" in response.json()["detail"]


def test_a_client_that_leaves_is_no_crash(app: Starlette, caplog: pytest.LogCaptureFixture) -> None:
    _, sent = _run(app, [], chunks=0)
    assert sent == []
    assert "Traceback" not in caplog.text


def _run(
    app: Starlette, headers: list[tuple[bytes, bytes]], *, chunks: int, start: bytes = b""
) -> tuple[int, list[dict[str, Any]]]:
    """Feeds an endless body by hand; returns the reads and what was sent."""
    reads = 0
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal reads
        reads += 1
        if reads > chunks:
            return {"type": "http.disconnect"}
        body = start if reads == 1 and start else b"x" * 100
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/classify",
        "raw_path": b"/classify",
        "query_string": b"",
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
    }
    asyncio.run(app(scope, receive, send))
    return reads, sent
