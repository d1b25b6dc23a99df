"""Who may be connected when not everyone can."""

from __future__ import annotations

from typing import Protocol

EVICTABLE_AFTER_S = 1.0
"""A client that said nothing for so long makes way; one whose request is on its way stays."""


class HeldConnection(Protocol):
    """A connection, as the crowd sees it."""

    def idle_s(self, now: float) -> float:
        """Seconds without a request, 0 while one is in work.

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
            most: Connections at once; as many again may be leaving.
        """
        self._most = most
        self._admitted: set[HeldConnection] = set()
        self._leaving: set[HeldConnection] = set()

    def __len__(self) -> int:
        """Connections that were let in."""
        return len(self._admitted)

    def enter(self, connection: HeldConnection, now: float) -> bool:
        """Lets a connection in, in the place of the longest idle one if there is no other.

        So clients that hold connections open and send nothing cannot shut others out.

        Args:
            connection: A new connection.
            now: The event loop's time.

        Returns:
            False when all others are at work.
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
        """Gives a connection's place free; says whether it may close slowly.

        Args:
            connection: A connection that was let in or refused.
        """
        self._admitted.discard(connection)
        if len(self._leaving) >= self._most:
            return False
        self._leaving.add(connection)
        return True

    def leave(self, connection: HeldConnection) -> None:
        """Forgets a connection.

        Args:
            connection: Any.
        """
        self._admitted.discard(connection)
        self._leaving.discard(connection)
