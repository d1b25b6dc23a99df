"""Problem details of what never reaches the app."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from serverless.app.problems import PROBLEM_TYPE
from serverless.app.request_id import REQUEST_ID_HEADER
from serverless.app.schema import Problem
from serverless.app.telemetry import RequestRecord, log_event


@dataclass(frozen=True)
class Refusal:
    """An answer that the server gives by itself; the connection ends with it.

    Attributes:
        status: Such as 431.
        detail: Rule, what was received, cure.
        id: The request id, which body, header and log have in common; a new one where the
            request has none.
    """

    status: int
    detail: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def body(self) -> bytes:
        """Problem details (RFC 9457)."""
        phrase = HTTPStatus(self.status).phrase
        return msgspec.json.encode(Problem("about:blank", phrase, self.status, self.detail, self.id))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All of them."""
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
        """Writes it as a line of the same log as the app's requests."""
        # A log that nobody takes any more, or a full disk, must not keep the answer back.
        with contextlib.suppress(OSError):
            log_event(RequestRecord("http", self.id, status=self.status, error="refused"), namespace="")
