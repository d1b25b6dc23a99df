"""Hands shards to workers, and finds the photo for which a process ends."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, UsageError
from edge_runtime.common.text import shortened
from edge_runtime.output.records import Value
from edge_runtime.score.parts import Machine, Part, Rows
from edge_runtime.score.photos import Photo

TRIES = 3
"""Times that a shard is tried before it is cut into halves, and a single photo before it is given up."""

ENDED = "the process that classified it ended"
"""Why a photo is given up that ends its process; the same words wherever it runs."""


@dataclass(frozen=True)
class Piece:
    """A shard, or photos of one.

    Attributes:
        shard: Number of the shard.
        start: First photo, counted in the shard.
        photos: The photos.
        whole: Whether it is all of the shard, so that the worker writes the part.
    """

    shard: int
    start: int
    photos: tuple[Photo, ...]
    whole: bool


@dataclass(frozen=True)
class Opened:
    """A worker has opened the bundle."""

    worker: int
    machine: Machine


@dataclass(frozen=True)
class Finished:
    """A worker has scored a piece: it wrote the part of a shard, or returns the rows of less."""

    worker: int
    piece: Piece
    answer: Part | Rows


@dataclass(frozen=True)
class Failed:
    """A piece came to nothing.

    Attributes:
        worker: Who had it.
        piece: The piece; None where the worker was only opening the bundle.
        reason: What was raised, or how the process ended.
        ended: Whether the process ended; it is then started again and reports :class:`Opened` first.
        error: What no photo can be blamed for, such as a full disk or a network that is gone.
    """

    worker: int
    piece: Piece | None
    reason: str
    ended: bool
    error: SnapshipError | None = None


def event_of(
    worker: int, piece: Piece | None, answer: Machine | Part | Rows | BaseException
) -> Opened | Finished | Failed:
    """What a worker's answer means, wherever it runs.

    Args:
        worker: Who had the piece.
        piece: The piece; None where it was opening the bundle.
        answer: What it returned or raised.
    """
    if isinstance(answer, UsageError | EnvironmentMissingError):
        return Failed(worker, piece, str(answer), ended=False, error=answer)
    if isinstance(answer, BaseException):
        reason = str(answer) if isinstance(answer, SnapshipError) else f"{type(answer).__name__}: {answer}"
        return Failed(worker, piece, reason, ended=False)
    if isinstance(answer, Machine):
        return Opened(worker, answer)
    assert piece is not None
    return Finished(worker, piece, answer)


class Crew(Protocol):
    """Worker processes, on this machine or on many. Starts them again when they end."""

    def next_event(self) -> Opened | Finished | Failed | None:
        """Waits for the next report; None when no worker is left."""
        ...

    def give(self, worker: int, piece: Piece) -> None:
        """Hands a piece to a worker that has opened the bundle and has none."""
        ...

    def dismiss(self, worker: int) -> None:
        """Ends a worker for good."""
        ...

    def close(self) -> None:
        """Ends all workers at once, whatever they do."""
        ...


class _Work:
    """Pieces that no worker has."""

    def __init__(self, shards: Iterable[tuple[int, list[Photo]]]) -> None:
        self._shards = iter(shards)
        self._again: deque[Piece] = deque()

    def take(self) -> Piece | None:
        """The next piece, those to be tried again first; None when there is none."""
        if self._again:
            return self._again.popleft()
        found = next(self._shards, None)
        return None if found is None else Piece(found[0], 0, tuple(found[1]), whole=True)

    def again(self, *pieces: Piece) -> None:
        """Takes back a piece, or its halves."""
        self._again.extend(pieces)


class _Cut:
    """A shard that was cut: the rows found so far."""

    def __init__(self, images: int) -> None:
        self._images = images
        self._found: dict[int, Rows] = {}

    def add(self, start: int, rows: Rows) -> Rows | None:
        """Adds rows; returns all of the shard in order when none is missing."""
        self._found[start] = rows
        if sum(map(len, self._found.values())) < self._images:
            return None
        return [values for _, found in sorted(self._found.items()) for values in found]


class Dispatch:
    """Runs shards on a crew.

    Attributes:
        machines: The workers that took part, as they described themselves.
        refused: Those that did not.
        ended: Times that a process ended.
        given_up: Names of photos that ended a process, or raised what is no error of an image, each time.
    """

    def __init__(
        self, crew: Crew, error_row: Callable[[Photo, str], list[Value]], write: Callable[[int, Rows], Part]
    ) -> None:
        """Keeps what it needs.

        Args:
            crew: The workers.
            error_row: Makes the row of a photo that is given up, of the photo and the reason.
            write: Writes the part of a shard that was cut.
        """
        self._crew, self._error_row, self._write = crew, error_row, write
        self.machines: dict[int, Machine] = {}
        self.refused: list[Machine] = []
        self.ended = 0
        self.given_up: list[str] = []
        self._tries: Counter[tuple[int, int, int]] = Counter()
        self._openings: Counter[int] = Counter()
        self._cut: dict[int, _Cut] = {}

    def run(self, shards: Iterable[tuple[int, list[Photo]]]) -> Iterator[Part]:
        """Scores shards.

        Args:
            shards: Numbers and photos, taken one by one.

        Yields:
            Finished parts, in any order.

        Raises:
            EnvironmentMissingError: No worker takes part.
            SnapshipError: What a worker raised for which no photo can be blamed, three times.
        """
        work = _Work(shards)
        idle: set[int] = set()
        busy = 0
        while True:
            while idle and (piece := work.take()) is not None:
                self._crew.give(idle.pop(), piece)
                busy += 1
            if idle and not busy:
                return
            event = self._crew.next_event()
            if event is None:
                raise self._nobody()
            if isinstance(event, Opened):
                if self._takes_part(event):
                    idle.add(event.worker)
                continue
            busy -= event.piece is not None
            if isinstance(event, Finished):
                idle.add(event.worker)
                if isinstance(event.answer, Part):
                    yield event.answer
                else:
                    yield from self._kept(event.piece, event.answer)
                continue
            self.ended += event.ended
            if event.piece is None:
                self._opened_in_vain(event)
                continue
            if not event.ended:
                idle.add(event.worker)
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

    def _opened_in_vain(self, event: Failed) -> None:
        self._openings[event.worker] += 1
        # What was raised is raised again; a process may have been ended by chance.
        if not event.ended or self._openings[event.worker] == TRIES:
            self._refuse(event.worker, Machine("", 0, refused=event.reason))

    def _kept(self, piece: Piece, rows: Rows) -> Iterator[Part]:
        whole = self._cut[piece.shard].add(piece.start, rows)
        if whole is not None:
            del self._cut[piece.shard]
            yield self._write(piece.shard, whole)

    def _failed(self, work: _Work, piece: Piece, reason: str, error: SnapshipError | None) -> Iterator[Part]:
        key = piece.shard, piece.start, len(piece.photos)
        self._tries[key] += 1
        # Of a half one try is enough: it was part of what failed before.
        if (piece.whole or len(piece.photos) == 1) and self._tries[key] < TRIES:
            work.again(piece)
            return
        if error is not None:
            raise error
        if piece.whole:
            self._cut[piece.shard] = _Cut(len(piece.photos))
        if len(piece.photos) > 1:
            work.again(*halves(piece))
            return
        photo = piece.photos[0]
        self.given_up.append(photo.name)
        yield from self._kept(piece, [self._error_row(photo, reason)])

    def _nobody(self) -> EnvironmentMissingError:
        reasons = "; ".join(dict.fromkeys(machine.refused for machine in self.refused)) or "all have ended"
        return EnvironmentMissingError(
            f"A worker must replay the bundle's golden examples. Received: none that does ({shortened(reasons, 600)}). "
            "Run snapship selftest BUNDLE on that machine."
        )


def halves(piece: Piece) -> tuple[Piece, Piece]:
    """Cuts a piece in two.

    Args:
        piece: At least two photos.
    """
    middle = len(piece.photos) // 2
    return (
        Piece(piece.shard, piece.start, piece.photos[:middle], whole=False),
        Piece(piece.shard, piece.start + middle, piece.photos[middle:], whole=False),
    )
