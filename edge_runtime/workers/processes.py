"""A crew on this machine: a process per worker, started again when it ends."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from edge_runtime.common.native_output import quiet
from edge_runtime.workers.child_process import end_with_parent, interrupts_ignored
from edge_runtime.workers.crew import (
    ENDED,
    Failed,
    Finished,
    Machine,
    Opened,
    OpenWorker,
    Piece,
    Worker,
    event_of,
)

_worker: Worker[Any, Any] | None = None
"""Of a worker process: opened once, for all of its shards."""


class Processes:
    """Worker processes of this machine. One that raises goes on; one that ends is replaced."""

    def __init__(self, opened: OpenWorker, sent: Path, workers: int) -> None:
        """Starts them.

        Args:
            opened: Opens the worker in each process; can be pickled.
            sent: The file that it is opened from.
            workers: How many.
        """
        self._opened, self._sent = opened, sent
        # Not forked: the interpreters and pyarrow have threads.
        self._context = multiprocessing.get_context("spawn")
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._tasks: dict[Future[Any], tuple[int, Piece[Any] | None]] = {}
        for worker in range(workers):
            self._start(worker)

    def next_event(self) -> Opened | Finished[Any, Any] | Failed[Any] | None:
        """See :class:`~edge_runtime.workers.crew.Crew`."""
        if not self._tasks:
            return None
        task = next(iter(wait(self._tasks, return_when=FIRST_COMPLETED).done))
        worker, piece = self._tasks.pop(task)
        try:
            answer = task.result()
        except BrokenProcessPool:
            self._pools.pop(worker).shutdown(wait=False)
            self._start(worker)
            return Failed(worker, piece, ENDED, ended=True)
        except Exception as error:
            return event_of(worker, piece, error)
        return event_of(worker, piece, answer)

    def give(self, worker: int, piece: Piece[Any]) -> None:
        """See :class:`~edge_runtime.workers.crew.Crew`."""
        task: Future[Any]
        try:
            task = self._pools[worker].submit(_work, piece)
        except BrokenProcessPool as error:
            # It ended while it had nothing to do.
            task = Future()
            task.set_exception(error)
        self._tasks[task] = worker, piece

    def dismiss(self, worker: int) -> None:
        """See :class:`~edge_runtime.workers.crew.Crew`."""
        self._tasks = {task: seat for task, seat in self._tasks.items() if seat[0] != worker}
        self._pools.pop(worker).shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Ends all of them at once, whatever they do."""
        for pool in self._pools.values():
            # What a worker has not finished is not wanted: it is written whole or not at all.
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
        self._pools.clear()

    def _start(self, worker: int) -> None:
        pool = self._pools[worker] = ProcessPoolExecutor(1, mp_context=self._context)
        with interrupts_ignored():
            # The first task starts the process.
            self._tasks[pool.submit(_open, self._opened, self._sent)] = worker, None


def _open(opened: OpenWorker, sent: Path) -> Machine:
    global _worker
    end_with_parent()
    with quiet():
        _worker = opened(sent)
    return _worker.machine


def _work(piece: Piece[Any]) -> Any:
    assert _worker is not None
    return _worker.work(piece)
