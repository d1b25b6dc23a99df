"""Uvicorn's HTTP/1.1 protocol with what it lacks: a deadline for headers and a limit on connections."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Protocol, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_runtime.common.text import shortened
from serverless.app.core.telemetry import choose_id, ensure_id
from serverless.serving.admission import Admission, Refusal
from serverless.serving.limits import ServerLimits
from serverless.serving.lingering_close import LingeringTransport

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


EVICTABLE_AFTER_S = 1.0
"""A connection idle for this long may be dropped for a new one; one with a request in progress stays."""


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
        """Seconds without a request, see :class:`HeldConnection`."""
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


class HeldConnection(Protocol):
    """A connection, as the limiter sees it."""

    def idle_s(self, now: float) -> float:
        """Seconds without a request, 0 while one is in progress.

        Args:
            now: The event loop's time.
        """

    def drop(self) -> None:
        """Cuts the connection."""


class ConnectionLimiter:
    """The connections of a server."""

    def __init__(self, most: int) -> None:
        """Starts empty.

        Args:
            most: Maximum number of connections; as many again may be closing.
        """
        self._most = most
        self._admitted: set[HeldConnection] = set()
        self._closing: set[HeldConnection] = set()

    def __len__(self) -> int:
        """Number of admitted connections."""
        return len(self._admitted)

    def enter(self, connection: HeldConnection, now: float) -> bool:
        """Admits a connection, if necessary in place of the one idle longest.

        So clients that hold connections open without sending cannot lock others out.

        Args:
            connection: A new connection.
            now: The event loop's time.

        Returns:
            False if all others are busy.
        """
        if len(self._admitted) >= self._most:
            idlest = max(self._admitted, key=lambda each: each.idle_s(now))
            if idlest.idle_s(now) < EVICTABLE_AFTER_S:
                return False
            self.leave(idlest)
            idlest.drop()
        self._admitted.add(connection)
        return True

    def may_linger(self, connection: HeldConnection) -> bool:
        """Frees a connection's place; returns whether it may close slowly.

        Args:
            connection: A connection that was admitted or refused.
        """
        self._admitted.discard(connection)
        if len(self._closing) >= self._most:
            return False
        self._closing.add(connection)
        return True

    def leave(self, connection: HeldConnection) -> None:
        """Forgets a connection.

        Args:
            connection: Any connection.
        """
        self._admitted.discard(connection)
        self._closing.discard(connection)
