"""Problem details of requests that never reach the app."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from serverless.app.problems import PROBLEM_TYPE
from serverless.app.request_id import REQUEST_ID_HEADER
from serverless.app.schema import Problem
from serverless.app.telemetry import RequestRecord, log_event


@dataclass(frozen=True)
class Refusal:
    """A response that the server gives by itself; it closes the connection.

    Attributes:
        status: HTTP status, e.g. 431.
        detail: Rule, what was received, cure.
        id: The request id in body, header and log.
    """

    status: int
    detail: str
    id: str

    @property
    def body(self) -> bytes:
        """Problem details (RFC 9457)."""
        phrase = HTTPStatus(self.status).phrase
        return msgspec.json.encode(Problem("about:blank", phrase, self.status, self.detail, self.id))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All headers of the response."""
        headers = [
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", str(len(self.body)).encode()),
            (b"connection", b"close"),
            (REQUEST_ID_HEADER.encode(), self.id.encode()),
        ]
        return [*headers, (b"retry-after", b"1")] if self.status == 503 else headers

    @property
    def response(self) -> bytes:
        """The whole HTTP/1.1 response."""
        head = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
        head += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join([*head, b"", self.body])

    def log(self) -> None:
        """Writes it to the same log as the app's requests."""
        # A closed log or a full disk must not hold back the response.
        with contextlib.suppress(OSError):
            log_event(RequestRecord("http", self.id, status=self.status, error="refused"), namespace="")
