"""Who may be connected when not everyone can."""

from __future__ import annotations

from typing import Protocol

MAKES_WAY_AFTER_S = 1.0
"""A client that said nothing for so long makes way; one whose request is on its way stays."""


class Guest(Protocol):
    """A connection, as the crowd sees it."""

    def idle_s(self, now: float) -> float:
        """Seconds without a request, 0 while one is in work.

        Args:
            now: The event loop's time.
        """

    def drop(self) -> None:
        """Cuts the connection."""


class Crowd:
    """The connections of a server."""

    def __init__(self, most: int) -> None:
        """Starts empty.

        Args:
            most: Connections at once; as many again may be leaving.
        """
        self._most = most
        self._guests: set[Guest] = set()
        self._leaving: set[Guest] = set()

    def __len__(self) -> int:
        """Connections that were let in."""
        return len(self._guests)

    def enter(self, guest: Guest, now: float) -> bool:
        """Lets a connection in, in the place of the longest idle one if there is no other.

        So clients that hold connections open and send nothing cannot shut others out.

        Args:
            guest: A new connection.
            now: The event loop's time.

        Returns:
            False when all others are at work.
        """
        if len(self._guests) >= self._most:
            idlest = max(self._guests, key=lambda each: each.idle_s(now))
            if idlest.idle_s(now) < MAKES_WAY_AFTER_S:
                return False
            self.leave(idlest)
            idlest.drop()
        self._guests.add(guest)
        return True

    def may_linger(self, guest: Guest) -> bool:
        """Gives a connection's place free; says whether it may close slowly.

        Args:
            guest: A connection that was let in or refused.
        """
        self._guests.discard(guest)
        if len(self._leaving) >= self._most:
            return False
        self._leaving.add(guest)
        return True

    def leave(self, guest: Guest) -> None:
        """Forgets a connection.

        Args:
            guest: Any.
        """
        self._guests.discard(guest)
        self._leaving.discard(guest)
