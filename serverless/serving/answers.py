"""Problem details (RFC 9457) of what never reaches the app."""

from __future__ import annotations

import contextlib
from http import HTTPStatus

import msgspec

from serverless.app.problems import PROBLEM_TYPE
from serverless.app.schema import Problem
from serverless.app.telemetry import Record, log_event


def problem_json(status: int, detail: str) -> bytes:
    """The body of a refusal.

    Args:
        status: Such as 503.
        detail: Rule, what was received, cure.
    """
    return msgspec.json.encode(Problem("about:blank", HTTPStatus(status).phrase, status, detail))


def problem_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    """Its headers; the connection ends with it.

    Args:
        body: What :func:`problem_json` made.
    """
    return [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]


def problem_bytes(status: int, detail: str, *extra: tuple[bytes, bytes]) -> bytes:
    """A whole HTTP/1.1 response.

    Args:
        status: Such as 503.
        detail: Rule, what was received, cure.
        extra: Further headers.
    """
    body = problem_json(status, detail)
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    head += [name + b": " + value for name, value in (*problem_headers(body), *extra)]
    return b"\r\n".join([*head, b"", body])


def log_refusal(status: int) -> None:
    """Writes a refusal as a line of the same log as the app's requests.

    Args:
        status: Such as 503.
    """
    # A log that nobody takes any more, or a full disk, must not keep the answer back.
    with contextlib.suppress(OSError):
        log_event(Record("http", status=status, error="refused"), namespace="")
