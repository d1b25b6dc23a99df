"""Uvicorn's HTTP/1.1 protocol with what it lacks: a deadline for headers and a limit on connections."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_runtime.quoting import shortened
from serverless.app.request_id import choose_id, ensure_id
from serverless.serving.answers import Refusal
from serverless.serving.crowd import ConnectionLimiter
from serverless.serving.gate import Admission
from serverless.serving.limits import ServerLimits
from serverless.serving.lingering import LingeringTransport

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


def limited_protocol(app: ASGIApp, limits: ServerLimits) -> type[H11Protocol]:
    """Makes the protocol class that uvicorn instantiates per connection.

    Args:
        app: An ASGI app.
        limits: The server's limits, shared by all connections of the class.
    """
    admission, limiter = Admission(app, limits), ConnectionLimiter(limits.max_connections)

    class Connection(LimitedConnection):
        def __init__(self, **options: Any) -> None:
            super().__init__(limits, admission, limiter, **options)

    return Connection


class LimitedConnection(H11Protocol):
    """One connection; asyncio calls its methods."""

    def __init__(
        self, limits: ServerLimits, admission: Admission, limiter: ConnectionLimiter, **options: Any
    ) -> None:
        """Ignores the app in uvicorn's options: the admission control holds it.

        Args:
            limits: The server's limits.
            admission: Wraps the app.
            limiter: All connections.
            options: Uvicorn's own.
        """
        super().__init__(**options)
        self.app = self._answer
        self._limits, self._admission, self._limiter = limits, admission, limiter
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._real: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admits the client or answers HTTP 503."""
        assert isinstance(transport, asyncio.Transport)
        self._real = transport
        super().connection_made(transport)
        self.transport = self._lingering = LingeringTransport(  # type: ignore[assignment]
            transport,
            self.loop,
            linger_s=self._limits.linger_s,
            patience_s=self._limits.timeout_s,
            most_bytes=self._limits.max_bytes,
            unread=self._unread,
            may_linger=lambda: self._limiter.may_linger(self),
        )
        self._idle_since = self.loop.time()
        if self._limiter.enter(self, self._idle_since):
            self._await_headers()
        else:
            self._refuse(
                503,
                "The server must have a free connection. Received: one more than it allows. Try again in a moment.",
            )

    def data_received(self, data: bytes) -> None:
        """Passes bytes on and checks whether the headers are complete."""
        if self._lingering.is_closing():
            self._lingering.drop(data)
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._end_deadline()
        elif self._deadline is None:
            # Uvicorn stops its idle timer at the first byte.
            self._await_headers()

    def on_response_complete(self) -> None:
        """The connection is idle again."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Makes room for the next connection."""
        self._end_deadline()
        self._lingering.lost()
        self._limiter.leave(self)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers malformed HTTP and headers that are too long."""
        error = sys.exception()
        if getattr(error, "error_status_hint", 400) == 431:
            self._refuse(
                431, "A request's line and headers must have at most "
                f"{self._limits.max_header_bytes:,} bytes. Received: more. Send fewer or shorter headers.",
            )  # fmt: skip
        else:
            # Without what h11 quotes from the request.
            reason = shortened(str(error or msg).partition(":")[0])
            self._refuse(400, f"A request must be HTTP/1.1. Received: {reason}. Check the client.")

    def idle_s(self, now: float) -> float:
        """Seconds without a request, see :class:`serverless.serving.crowd.HeldConnection`."""
        return now - self._idle_since if self.conn.their_state is h11.IDLE else 0.0

    def drop(self) -> None:
        """Cuts the connection."""
        if self.cycle is not None:
            # Otherwise uvicorn complains that the app did not answer.
            self.cycle.disconnected = True
        self._real.abort()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._admission(scope, receive, send, unread=self._body_unread, drop=self.drop)

    def _body_unread(self) -> bool:
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _unread(self) -> bool:
        return self._body_unread() or bool(self.conn.trailing_data[0])

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(self._limits.header_deadline_s, self._headers_late)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _headers_late(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(
                408, f"A request's headers must arrive within {self._limits.header_deadline_s:g} seconds. "
                "Received: a part of them. Send them at once.",
            )  # fmt: skip
        else:
            # A browser that preconnects has sent no request to answer.
            self._lingering.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answers without the app and closes; only closes if a response has started."""
        self._end_deadline()
        in_work = self.cycle is not None and not self.cycle.response_complete
        # The app logs a request that was cut off within its body under the same id.
        id = ensure_id(cast("Scope", self.cycle.scope)) if in_work else choose_id({})
        refusal = Refusal(status, detail, id)
        refusal.log()
        if not in_work or not self.cycle.response_started:
            self._real.write(refusal.response)
            if self.cycle is not None:
                # The app is still reading a body that will not come.
                self.cycle.disconnected = True
                self.cycle.message_event.set()
        self._lingering.close()
