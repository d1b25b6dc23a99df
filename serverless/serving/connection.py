"""Uvicorn's HTTP/1.1 protocol with what it lacks: a deadline for the headers, and a place in the crowd."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_runtime.quoting import shortened
from serverless.app.request_id import choose_id, keep_id, request_id
from serverless.serving.answers import Refusal
from serverless.serving.crowd import ConnectionLimiter
from serverless.serving.gate import Admission
from serverless.serving.limits import ServerLimits
from serverless.serving.lingering import LingeringTransport

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


def limited_protocol(app: ASGIApp, limits: ServerLimits) -> type[H11Protocol]:
    """Makes the class that uvicorn makes of each connection.

    Args:
        app: Anything that speaks ASGI.
        limits: The server's limits, held over all connections of the class.
    """
    gate, crowd = Admission(app, limits), ConnectionLimiter(limits.max_connections)

    class Connection(LimitedConnection):
        def __init__(self, **options: Any) -> None:
            super().__init__(limits, gate, crowd, **options)

    return Connection


class LimitedConnection(H11Protocol):
    """One connection; asyncio calls its methods."""

    def __init__(
        self, limits: ServerLimits, gate: Admission, crowd: ConnectionLimiter, **options: Any
    ) -> None:
        """Takes no notice of the app in uvicorn's options: the gate has it.

        Args:
            limits: The server's limits.
            gate: Before the app.
            crowd: All connections.
            options: Uvicorn's own.
        """
        super().__init__(**options)
        self.app = self._answer
        self._limits, self._gate, self._crowd = limits, gate, crowd
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._real: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets the client in or tells it to come again."""
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
            may_linger=lambda: self._crowd.may_linger(self),
        )
        self._idle_since = self.loop.time()
        if self._crowd.enter(self, self._idle_since):
            self._await_headers()
        else:
            self._refuse(
                503, "Every connection of this server is in use. Received: one more. Try again in a moment."
            )

    def data_received(self, data: bytes) -> None:
        """Hands bytes on and sees whether the headers are whole."""
        if self._lingering.is_closing():
            self._lingering.drop(data)
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._end_deadline()
        elif self._deadline is None:
            # Uvicorn has stopped its timer of an idle connection at the first byte.
            self._await_headers()

    def on_response_complete(self) -> None:
        """The connection is idle again."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Lets the next one in."""
        self._end_deadline()
        self._lingering.lost()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, and headers that are too long."""
        error = sys.exception()
        if getattr(error, "error_status_hint", 400) == 431:
            self._refuse(
                431, "A request's line and headers must have at most "
                f"{self._limits.max_header_bytes:,} bytes. Received: more. Send fewer or shorter headers.",
            )  # fmt: skip
        else:
            # Without what h11 repeats of the request.
            reason = shortened(str(error or msg).partition(":")[0])
            self._refuse(400, f"A request must be HTTP/1.1. Received: {reason}. Check the client.")

    def idle_s(self, now: float) -> float:
        """Seconds without a request, see :class:`serverless.serving.crowd.HeldConnection`."""
        return now - self._idle_since if self.conn.their_state is h11.IDLE else 0.0

    def drop(self) -> None:
        """Cuts the connection."""
        if self.cycle is not None:
            # Else uvicorn complains that the app did not answer.
            self.cycle.disconnected = True
        self._real.abort()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._gate(scope, receive, send, unread=self._body_unread, drop=self.drop)

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
            # A browser that connects ahead expects no answer to what it never asked.
            self._lingering.close()

    def _id_in_work(self) -> str:
        """The id of a request that broke off within its body: the app logs it under the same one."""
        scope = cast("Scope", self.cycle.scope)
        id = request_id(scope) or choose_id(scope)
        keep_id(scope, id)
        return id

    def _refuse(self, status: int, detail: str) -> None:
        """Answers without the app and closes; only closes where an answer has begun."""
        self._end_deadline()
        in_work = self.cycle is not None and not self.cycle.response_complete
        refusal = Refusal(status, detail, self._id_in_work()) if in_work else Refusal(status, detail)
        refusal.log()
        if not in_work or not self.cycle.response_started:
            self._real.write(refusal.response)
            if self.cycle is not None:
                # The app is still reading a body that will not come.
                self.cycle.disconnected = True
                self.cycle.message_event.set()
        self._lingering.close()
