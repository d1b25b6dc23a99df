"""Admission control around the app: size of headers, deadline of a body, memory of all bodies.

A request that never reaches the app gets problem details too, see :class:`Refusal`. One that is
refused while its body arrives gets them from the app::

    SlowRequestError    HTTP 408   the body took too long
    BusyError           HTTP 503   too many bytes of requests are in memory
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from edge_runtime.common.errors import UsageError
from serverless.app.core.api_schema import Problem
from serverless.app.core.http_problems import PROBLEM_TYPE, UnavailableError
from serverless.app.core.telemetry import REQUEST_ID_HEADER, RequestRecord, choose_id, log_event
from serverless.serving.limits import ServerLimits

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


_ABSOLUTE = re.compile("https?://[^/]*", re.IGNORECASE)

RETRY_SECONDS = 1
"""When to retry a request for which there was no room; others are read within seconds."""


class SlowRequestError(UsageError):
    """A request that did not arrive in time."""

    http_status = 408


class BusyError(UnavailableError):
    """A request for which there is currently no room."""


class Admission:
    """Shared by all connections of a server."""

    def __init__(self, app: ASGIApp, limits: ServerLimits) -> None:
        """Wraps an app.

        Args:
            app: An ASGI app.
            limits: The server's limits.
        """
        self._app = app
        self._limits = limits
        self._buffered = 0

    @property
    def buffered(self) -> int:
        """Total bytes of the bodies of all requests in progress."""
        return self._buffered

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        unread: Callable[[], bool],
        drop: Callable[[], None],
    ) -> None:
        """Answers one request.

        Args:
            scope: ASGI's.
            receive: ASGI's.
            send: ASGI's.
            unread: Whether part of the body has not arrived yet.
            drop: Cuts the connection.
        """
        if scope["http_version"] not in ("1.0", "1.1"):
            await refuse(
                scope, send, 400, f"A request must be HTTP/1.1. Received: {scope['http_version']}. "
                "Check the client.",
            )  # fmt: skip
            return
        if ambiguous(scope):
            await refuse(
                scope, send, 400, "A request must not have both Content-Length and Transfer-Encoding. "
                "Received: both. Check the client and any proxy in between.",
            )  # fmt: skip
            return
        size = header_bytes(scope)
        if size > self._limits.max_header_bytes:
            await refuse(
                scope, send, 431, "A request's line and headers must have at most "
                f"{self._limits.max_header_bytes:,} bytes. Received: {size:,}. Send fewer or shorter headers.",
            )  # fmt: skip
            return
        scope["path"] = origin_form(scope["path"])
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        mine, complete = 0, False

        async def received() -> Message:
            nonlocal mine, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise SlowRequestError(
                    f"A request must arrive within {self._limits.timeout_s:g} seconds. Received: {mine:,} bytes "
                    "of its body by then. Send a smaller image, or use a faster connection."
                ) from error
            arrived = len(message.get("body", b""))
            mine += arrived
            self._buffered += arrived
            if self._buffered > self._limits.room:
                raise BusyError(
                    f"All requests together must be at most {self._limits.room:,} bytes. "
                    f"Received: {self._buffered:,}. Try again in a moment.",
                    retry_after=RETRY_SECONDS,
                )
            complete = not message.get("more_body", False)
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and unread():
                # Otherwise uvicorn reads the rest, however long it is.
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            try:
                async with asyncio.timeout(self._limits.timeout_s):
                    await send(message)
            except TimeoutError:
                drop()

        try:
            await self._app(scope, received, sent)
        except asyncio.CancelledError:
            # The server is stopping and has waited long enough for this client.
            drop()
        finally:
            self._buffered -= mine


def ambiguous(scope: Scope) -> bool:
    """Whether a proxy may see the request end elsewhere, with a second request after it.

    RFC 9112 section 6.1 lets the server refuse this; request smuggling relies on it.

    Args:
        scope: ASGI's.
    """
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names and b"transfer-encoding" in names


def origin_form(target: str) -> str:
    """The path of a request's target, which a proxy's client may send as an absolute URL.

    RFC 9112 section 3.2.2: a server must accept the absolute form too. Its host is ignored, like the
    Host header.

    Args:
        target: The target without its query.
    """
    found = _ABSOLUTE.match(target)
    return target[found.end() :] or "/" if found else target


def header_bytes(scope: Scope) -> int:
    """Approximate size of a request's line and headers as sent.

    Args:
        scope: ASGI's.
    """
    line = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    return line + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


async def refuse(scope: Scope, send: Send, status: int, detail: str) -> None:
    """Answers a request that does not reach the app.

    Args:
        scope: ASGI's; the client's own request id is kept, as in the app.
        send: ASGI's.
        status: HTTP status, e.g. 431.
        detail: Rule, what was received, cure.
    """
    refusal = Refusal(status, detail, choose_id(scope))
    refusal.log()
    await send({"type": "http.response.start", "status": status, "headers": refusal.headers})
    await send({"type": "http.response.body", "body": refusal.body})


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
