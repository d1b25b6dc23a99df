"""What workers are given and what they report, wherever they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from edge_runtime.common.errors import SnapshipError

ENDED = "its process ended"
"""Why an item is given up that ends its process; the same words wherever it runs."""

Item = TypeVar("Item")
"""What a shard is made of, such as a photo."""

Answer = TypeVar("Answer")
"""What a worker makes of a piece."""

_Given = TypeVar("_Given", covariant=True)


@dataclass(frozen=True)
class Machine:
    """Where a worker runs, and whether it may.

    Attributes:
        host: Name of the machine.
        pid: Its process.
        engine: The interpreter, empty where it did not open.
        cpu: The processor.
        flags: Its instructions for multiplying bytes.
        replayed: Golden examples that gave the recorded answers.
        refused: Why it takes no part; empty if it does.
    """

    host: str
    pid: int
    engine: str = ""
    cpu: str = ""
    flags: tuple[str, ...] = ()
    replayed: int = 0
    refused: str = ""


@dataclass(frozen=True)
class Piece(Generic[Item]):
    """A shard, or items of one.

    Attributes:
        shard: Number of the shard.
        start: First item, counted in the shard.
        items: The items.
        whole: Whether it is all of the shard.
    """

    shard: int
    start: int
    items: tuple[Item, ...]
    whole: bool


class Worker(Protocol[Item, _Given]):
    """What works in a process of its own. It knows nothing of the other processes."""

    @property
    def machine(self) -> Machine:
        """What it says of itself."""
        ...

    def work(self, piece: Piece[Item]) -> _Given:
        """Does the work of a piece; what it raises is reported.

        Args:
            piece: A shard, or items of one.
        """
        ...


OpenWorker = Callable[[Path], Worker[Any, Any]]
"""Opens a worker in its process from the file that was sent to it; can be pickled."""


@dataclass(frozen=True)
class Opened:
    """A worker is ready, or says why it takes no part."""

    worker: int
    machine: Machine


@dataclass(frozen=True)
class Finished(Generic[Item, Answer]):
    """A worker has done a piece."""

    worker: int
    piece: Piece[Item]
    answer: Answer


@dataclass(frozen=True)
class Failed(Generic[Item]):
    """A piece came to nothing.

    Attributes:
        worker: Who had it.
        piece: The piece; None where the worker was only being opened.
        reason: What was raised, or how the process ended.
        ended: Whether the process ended; it is then started again and reports :class:`Opened` first.
        error: What was raised, where it is an error of ours.
    """

    worker: int
    piece: Piece[Item] | None
    reason: str
    ended: bool
    error: SnapshipError | None = None


def event_of(
    worker: int, piece: Piece[Item] | None, answer: Answer | Machine | BaseException
) -> Opened | Finished[Item, Answer] | Failed[Item]:
    """What a worker's answer means, wherever it runs.

    Args:
        worker: Who had the piece.
        piece: The piece; None where it was being opened.
        answer: What it returned or raised.
    """
    if isinstance(answer, SnapshipError):
        return Failed(worker, piece, str(answer), ended=False, error=answer)
    if isinstance(answer, BaseException):
        return Failed(worker, piece, f"{type(answer).__name__}: {answer}", ended=False)
    if isinstance(answer, Machine):
        return Opened(worker, answer)
    assert piece is not None
    return Finished(worker, piece, answer)


class Crew(Protocol[Item, Answer]):
    """Worker processes, on this machine or on many. Starts them again when they end."""

    def next_event(self) -> Opened | Finished[Item, Answer] | Failed[Item] | None:
        """Waits for the next report; None when no worker is left."""
        ...

    def give(self, worker: int, piece: Piece[Item]) -> None:
        """Hands a piece to a worker that is ready and has none."""
        ...

    def dismiss(self, worker: int) -> None:
        """Ends a worker for good."""
        ...

    def close(self) -> None:
        """Ends all workers at once, whatever they do."""
        ...


class StartCrew(Protocol):
    """Starts workers; :class:`~edge_runtime.workers.processes.Processes` here."""

    def __call__(self, opened: OpenWorker, sent: Path, workers: int) -> Crew[Any, Any]:
        """Starts them.

        Args:
            opened: Opens a worker in each process.
            sent: The file that each of them gets.
            workers: How many.
        """
        ...
