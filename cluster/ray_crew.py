"""A crew on a Ray cluster: an actor per core, each with its own process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from edge_runtime.common.native_output import quiet
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
from edge_runtime.workers.dispatch import TRIES


class WorkerActor:
    """What runs in a worker of the cluster. Errors are returned: Ray would wrap them in its own."""

    def __init__(self) -> None:
        self._worker: Worker[Any, Any] | None = None

    def open(self, opened: OpenWorker, sent: bytes) -> Machine | BaseException:
        """Opens the worker from a file, which reached this machine as bytes.

        Args:
            opened: Opens the worker.
            sent: The file's content.
        """
        try:
            with quiet(), tempfile.TemporaryDirectory(prefix="snapship-") as folder:
                place = Path(folder) / "sent"
                place.write_bytes(sent)
                self._worker = opened(place)
            return self._worker.machine
        except Exception as error:
            return error

    def work(self, piece: Piece[Any]) -> Any:
        """Does a piece.

        Args:
            piece: A shard, or items of one.
        """
        assert self._worker is not None
        try:
            return self._worker.work(piece)
        except Exception as error:
            return error


class RayCrew:
    """Actors of a cluster. Ray starts one again when its process or its machine ends, where there is room."""

    def __init__(self, ray: Any, opened: OpenWorker, sent: Path, workers: int) -> None:
        """Starts them.

        Args:
            ray: The module, joined to a cluster.
            opened: Opens the worker in each process; can be pickled.
            sent: The file that it is opened from.
            workers: How many.
        """
        self._ray, self._opened = ray, opened
        # Kept for as long as the crew: an actor that is started again fetches it again.
        self._sent = ray.put(sent.read_bytes())
        actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=0)(WorkerActor)
        self._actors = {worker: actor.remote() for worker in range(workers)}
        self._tasks: dict[Any, tuple[int, Piece[Any] | None]] = {}
        for worker in self._actors:
            self._open(worker)

    def next_event(self) -> Opened | Finished[Any, Any] | Failed[Any] | None:
        """See :class:`~edge_runtime.workers.crew.Crew`."""
        if not self._tasks:
            return None
        done, _ = self._ray.wait(list(self._tasks), num_returns=1)
        worker, piece = self._tasks.pop(done[0])
        try:
            answer = self._ray.get(done[0])
        except self._ray.exceptions.RuntimeEnvSetupError as error:
            return event_of(worker, piece, error)
        except self._ray.exceptions.RayError:
            # The actor, or the machine that it was on. Asked again, it answers when it is there again.
            self._open(worker)
            return Failed(worker, piece, ENDED, ended=True)
        return event_of(worker, piece, answer)

    def give(self, worker: int, piece: Piece[Any]) -> None:
        """See :class:`~edge_runtime.workers.crew.Crew`."""
        self._tasks[self._actors[worker].work.remote(piece)] = worker, piece

    def dismiss(self, worker: int) -> None:
        """See :class:`~edge_runtime.workers.crew.Crew`."""
        self._tasks = {task: seat for task, seat in self._tasks.items() if seat[0] != worker}
        self._ray.kill(self._actors.pop(worker))

    def close(self) -> None:
        """Ends all of them at once, whatever they do."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()

    def _open(self, worker: int) -> None:
        # A call of an actor that is just being started again fails; this one Ray repeats. Ray Client takes the
        # number with a call only.
        call = self._actors[worker].open.options(max_task_retries=TRIES)
        self._tasks[call.remote(self._opened, self._sent)] = worker, None
