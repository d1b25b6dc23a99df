"""A transport whose ``close`` lets the client read the last response.

Closing a socket with unread bytes resets the connection, and a reset discards what the client has
not read yet: a client that receives "too large" while it is sending would only see a broken pipe.
So the sending side is closed, incoming data is dropped for a while, and then the connection is cut
(nginx calls this lingering_close). A client that never reads its response is cut eventually too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class LingeringTransport:
    """The part of a transport that uvicorn uses, with a lingering ``close``."""

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        linger_s: float,
        patience_s: float,
        most_bytes: int,
        unread: Callable[[], bool],
        may_linger: Callable[[], bool],
    ) -> None:
        """Wraps a transport.

        Args:
            transport: Asyncio's own.
            loop: Its event loop.
            linger_s: Seconds that the client may keep sending.
            patience_s: Seconds that it may take to read its response.
            most_bytes: Bytes dropped before the connection is cut.
            unread: Whether part of the request has not been read.
            may_linger: Whether there is room for one more slowly closing connection.
        """
        self._transport = transport
        self._loop = loop
        self._linger_s = linger_s
        self._patience_s = patience_s
        self._most_bytes = most_bytes
        self._unread = unread
        self._may_linger = may_linger
        self._timer: asyncio.TimerHandle | None = None
        self._cut_at = 0.0
        self.leaving = False

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether ``close`` was called."""
        return self.leaving or self._transport.is_closing()

    def close(self) -> None:
        """Closes when the client has its response, at the latest after ``patience_s``."""
        if self.is_closing():
            return
        self.leaving = True
        if not self._may_linger():
            self._transport.abort()
        elif not self._unread() and self._transport.get_write_buffer_size() == 0:
            self._transport.close()
        else:
            self._cut_at = self._loop.time() + self._patience_s
            # If uvicorn paused reading, the client's departure would go unnoticed.
            self._transport.resume_reading()
            try:
                self._transport.write_eof()
            except OSError:
                # The client has just left.
                self._transport.abort()
                return
            self._timer = self._loop.call_later(self._linger_s, self._check)

    def drop(self, data: bytes) -> None:
        """Counts what a client sends after its response.

        Args:
            data: Discarded.
        """
        self._most_bytes -= len(data)
        if self._most_bytes < 0:
            self._transport.abort()

    def lost(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        if self._transport.get_write_buffer_size() == 0 or self._loop.time() >= self._cut_at:
            self._transport.abort()
        else:
            self._timer = self._loop.call_later(self._linger_s, self._check)
