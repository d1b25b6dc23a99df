"""Starts ranks as processes of this machine, and ends them together."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError
from edge_runtime.common.native_output import quiet, stdout_discarded
from edge_runtime.workers.child_process import end_with_parent, interrupts_ignored
from edge_runtime.workers.free_address import free_address
from trainer.progress import Event, Progress, silent
from trainer.ranks.place import Place
from trainer.ranks.watch import ended

T = TypeVar("T")

_GRACE_S = 2.0
"""Seconds to wait for a cause after a first failure: a rank fails when another has ended."""


def launch(run: Callable[[Place, Progress], T], count: int, progress: Progress = silent) -> T:
    """Runs a function on ranks of this machine, each in a process of its own.

    Args:
        run: Called with the rank's place and a progress callback; can be pickled. Its results, too.
        count: Number of ranks.
        progress: Called with rank 0's events.

    Returns:
        What rank 0 returned.

    Raises:
        SnapshipError: What a rank raised.
        EnvironmentMissingError: A rank ended.
    """
    # Not forked: TensorFlow and JAX have threads.
    context = multiprocessing.get_context("spawn")
    address = free_address("127.0.0.1")
    ranks: list[_Rank] = []
    try:
        with interrupts_ignored():
            for rank in range(count):
                ranks.append(_Rank(context, run, Place(rank, count, rank, address)))
        result: T = _results(ranks, progress)[0]
        return result
    finally:
        for started in ranks:
            started.end()


class _Rank:
    """One process."""

    def __init__(self, context: Any, run: Callable[[Place, Progress], Any], place: Place) -> None:
        self.number = place.rank
        self.connection, other = context.Pipe(duplex=False)
        self.process = context.Process(target=_child, args=(run, place, other), daemon=True)
        self.process.start()
        # Only the child has it open now: when the child ends, reading here ends.
        other.close()

    def end(self) -> None:
        self.process.terminate()
        self.process.join(10.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def _results(ranks: list[_Rank], progress: Progress) -> list[Any]:
    """Waits for all, and hands on rank 0's events."""
    open_ranks = {rank.connection: rank for rank in ranks}
    results: dict[int, Any] = {}
    while open_ranks:
        for ready in wait(list(open_ranks)):
            assert isinstance(ready, Connection)
            try:
                kind, value = ready.recv()
            except (EOFError, OSError):
                rank = open_ranks.pop(ready)
                if rank.number not in results:
                    raise _ended(rank) from None
                continue
            if kind == "event":
                progress(value)
            elif kind == "result":
                results[open_ranks[ready].number] = value
            elif isinstance(value, SnapshipError):
                raise value
            else:
                raise _cause(ranks, value)
    return [results[rank.number] for rank in ranks]


def _cause(ranks: list[_Rank], trace: str) -> Exception:
    """Why a rank raised what is no error of ours: often because another one has ended."""
    end = time.monotonic() + _GRACE_S
    while time.monotonic() < end:
        for rank in ranks:
            if rank.process.exitcode is not None and rank.process.exitcode < 0:
                return _ended(rank)
        time.sleep(0.05)
    return RuntimeError(trace)


def _ended(rank: _Rank) -> EnvironmentMissingError:
    rank.process.join(10.0)
    code = rank.process.exitcode
    how = f"with exit code {code}"
    if code is not None and code < 0:
        how = f"by {signal.Signals(-code).name}"
    return ended(rank.number, how)


def _child(run: Callable[[Place, Progress], Any], place: Place, connection: Connection) -> None:
    """What a rank's process does. Nothing is printed here: the parent tells."""
    end_with_parent()

    def told(event: Event) -> None:
        connection.send(("event", event))

    try:
        with quiet(), stdout_discarded():
            result = run(place, told if place.rank == 0 else silent)
        connection.send(("result", result))
    except SnapshipError as error:
        connection.send(("error", error))
    except Exception:
        connection.send(("error", traceback.format_exc()))
