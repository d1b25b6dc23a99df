"""Hands shards to workers, and finds the item for which a process ends."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, UsageError
from edge_runtime.common.text import shortened
from edge_runtime.workers.crew import Crew, Failed, Finished, Item, Machine, Opened, Piece

TRIES = 3
"""Times that a shard is tried before it is cut into halves, and a single item before it is given up."""

Done = TypeVar("Done")
"""What a whole shard becomes."""

Row = TypeVar("Row")
"""What an item of a shard becomes that was cut."""


@dataclass(frozen=True)
class Cutting(Generic[Item, Done, Row]):
    """Cuts a shard that fails each time into halves, until the item is alone that is to blame.

    Attributes:
        error_row: Makes the row of an item that is given up, of the item and the reason.
        join: Makes a shard, by number, of the rows of all its items.
    """

    error_row: Callable[[Item, str], Row]
    join: Callable[[int, list[Row]], Done]


Refusing = Callable[[Piece[Item], str], SnapshipError]
"""The error of a shard that fails each time, of the shard and the reason; it ends the run."""


class _Work(Generic[Item]):
    """Pieces that no worker has."""

    def __init__(self, shards: Iterable[tuple[int, Sequence[Item]]]) -> None:
        self._shards = iter(shards)
        self._again: deque[Piece[Item]] = deque()

    def take(self) -> Piece[Item] | None:
        """The next piece, those to be tried again first; None when there is none."""
        if self._again:
            return self._again.popleft()
        found = next(self._shards, None)
        return None if found is None else Piece(found[0], 0, tuple(found[1]), whole=True)

    def again(self, *pieces: Piece[Item]) -> None:
        """Takes back a piece, or its halves."""
        self._again.extend(pieces)


class _Cut(Generic[Row]):
    """A shard that was cut: the rows found so far."""

    def __init__(self, items: int) -> None:
        self._items = items
        self._found: dict[int, Sequence[Row]] = {}

    def add(self, start: int, rows: Sequence[Row]) -> list[Row] | None:
        """Adds rows; returns all of the shard in order when none is missing."""
        self._found[start] = rows
        if sum(map(len, self._found.values())) < self._items:
            return None
        return [row for _, found in sorted(self._found.items()) for row in found]


class Dispatch(Generic[Item, Done, Row]):
    """Runs shards on a crew. Of a whole shard a worker returns what becomes of it, of less the rows.

    Attributes:
        machines: The workers that took part, as they described themselves.
        refused: Those that did not.
        ended: Times that a process ended.
        given_up: Items that ended a process, or raised what is no error of an item, each time.
    """

    def __init__(
        self,
        crew: Crew[Item, Done | Sequence[Row]],
        failing: Cutting[Item, Done, Row] | Refusing[Item],
        nobody: Callable[[str], EnvironmentMissingError],
    ) -> None:
        """Keeps what it needs.

        Args:
            crew: The workers.
            failing: What to do with a shard that fails each time.
            nobody: The error if no worker takes part, of the reasons.
        """
        self._crew, self._failing, self._nobody = crew, failing, nobody
        self.machines: dict[int, Machine] = {}
        self.refused: list[Machine] = []
        self.ended = 0
        self.given_up: list[Item] = []
        self._idle: set[int] = set()
        self._tries: Counter[tuple[int, int, int]] = Counter()
        self._openings: Counter[int] = Counter()
        self._cut: dict[int, _Cut[Row]] = {}

    def run(self, shards: Iterable[tuple[int, Sequence[Item]]]) -> Iterator[Done]:
        """Has shards done. When all are, it may be called again.

        Args:
            shards: Numbers and items, taken one by one.

        Yields:
            Finished shards, in any order.

        Raises:
            EnvironmentMissingError: No worker takes part.
            SnapshipError: What a worker raised for which no item can be blamed, three times; or a shard that fails
                each time must not be cut.
        """
        work = _Work(shards)
        self._tries.clear()
        busy = 0
        while True:
            while self._idle and (piece := work.take()) is not None:
                self._crew.give(self._idle.pop(), piece)
                busy += 1
            if self._idle and not busy:
                return
            event = self._crew.next_event()
            if event is None:
                raise self._nobody(self._reasons())
            if isinstance(event, Opened):
                if self._takes_part(event):
                    self._idle.add(event.worker)
                continue
            busy -= event.piece is not None
            if isinstance(event, Finished):
                self._idle.add(event.worker)
                if event.piece.whole:
                    yield cast(Done, event.answer)
                else:
                    yield from self._kept(event.piece, cast("Sequence[Row]", event.answer))
                continue
            self.ended += event.ended
            if event.piece is None:
                self._opened_in_vain(event)
                continue
            if not event.ended:
                self._idle.add(event.worker)
            yield from self._failed(work, event.piece, event.reason, event.error)

    def _takes_part(self, event: Opened) -> bool:
        if event.machine.refused:
            self._refuse(event.worker, event.machine)
            return False
        self._openings.pop(event.worker, None)
        self.machines[event.worker] = event.machine
        return True

    def _refuse(self, worker: int, machine: Machine) -> None:
        self.refused.append(machine)
        self._crew.dismiss(worker)

    def _opened_in_vain(self, event: Failed[Item]) -> None:
        self._openings[event.worker] += 1
        # What was raised is raised again; a process may have been ended by chance.
        if not event.ended or self._openings[event.worker] == TRIES:
            self._refuse(event.worker, Machine("", 0, refused=event.reason))

    def _kept(self, piece: Piece[Item], rows: Sequence[Row]) -> Iterator[Done]:
        assert isinstance(self._failing, Cutting)
        whole = self._cut[piece.shard].add(piece.start, rows)
        if whole is not None:
            del self._cut[piece.shard]
            yield self._failing.join(piece.shard, whole)

    def _failed(
        self, work: _Work[Item], piece: Piece[Item], reason: str, error: SnapshipError | None
    ) -> Iterator[Done]:
        key = piece.shard, piece.start, len(piece.items)
        self._tries[key] += 1
        # Of a half one try is enough: it was part of what failed before.
        if (piece.whole or len(piece.items) == 1) and self._tries[key] < TRIES:
            work.again(piece)
            return
        if not isinstance(self._failing, Cutting):
            raise error or self._failing(piece, reason)
        # A full disk, or a network that is gone, is no item's fault.
        if isinstance(error, UsageError | EnvironmentMissingError):
            raise error
        if piece.whole:
            self._cut[piece.shard] = _Cut(len(piece.items))
        if len(piece.items) > 1:
            work.again(*halves(piece))
            return
        self.given_up.append(piece.items[0])
        yield from self._kept(piece, [self._failing.error_row(piece.items[0], reason)])

    def _reasons(self) -> str:
        reasons = "; ".join(dict.fromkeys(machine.refused for machine in self.refused)) or "all have ended"
        return shortened(reasons, 600)


def halves(piece: Piece[Item]) -> tuple[Piece[Item], Piece[Item]]:
    """Cuts a piece in two.

    Args:
        piece: At least two items.
    """
    middle = len(piece.items) // 2
    return (
        Piece(piece.shard, piece.start, piece.items[:middle], whole=False),
        Piece(piece.shard, piece.start + middle, piece.items[middle:], whole=False),
    )
