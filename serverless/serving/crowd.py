"""Limits the number of connections."""

from __future__ import annotations

from typing import Protocol

EVICTABLE_AFTER_S = 1.0
"""A connection idle for this long may be dropped for a new one; one with a request in progress stays."""


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
