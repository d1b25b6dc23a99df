"""A crew on a Ray cluster: an actor per core, each with its own process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from edge_runtime.common.native_output import quiet
from edge_runtime.score.dispatch import ENDED, TRIES, Failed, Finished, Opened, Piece, event_of
from edge_runtime.score.job import Job
from edge_runtime.score.parts import Machine, Part, Rows
from edge_runtime.score.processes import OpenScorer
from edge_runtime.score.scorer import Scorer


class ScoringActor:
    """What runs in a worker of the cluster. Errors are returned: Ray would wrap them in its own."""

    def __init__(self) -> None:
        self._scorer: Scorer | None = None

    def open(self, opened: OpenScorer, job: Job, bundle: bytes) -> Machine | BaseException:
        """Opens the bundle, which reached this machine as bytes.

        Args:
            opened: Opens the scorer.
            job: The run.
            bundle: The bundle's zip.
        """
        try:
            with quiet(), tempfile.TemporaryDirectory(prefix="snapship-") as folder:
                place = Path(folder) / "bundle.zip"
                place.write_bytes(bundle)
                self._scorer = opened(job, place)
            return self._scorer.machine
        except Exception as error:
            return error

    def score(self, piece: Piece) -> Part | Rows | BaseException:
        """Scores a piece.

        Args:
            piece: A shard, or photos of one.
        """
        assert self._scorer is not None
        try:
            return self._scorer.score(piece)
        except Exception as error:
            return error


class RayCrew:
    """Actors of a cluster. Ray starts one again when its process or its machine ends, where there is room."""

    def __init__(
        self, ray: Any, job: Job, bundle: Path, workers: int, opened: OpenScorer = Scorer.open
    ) -> None:
        """Starts them.

        Args:
            ray: The module, joined to a cluster.
            job: The run.
            bundle: The bundle's zip.
            workers: How many.
            opened: Opens the scorer in each process; can be pickled.
        """
        self._ray, self._job, self._opened = ray, job, opened
        # Kept for as long as the crew: an actor that is started again fetches it again.
        self._bundle = ray.put(bundle.read_bytes())
        # A call of an actor that is just being started again fails; this one Ray repeats.
        ray.method(max_task_retries=TRIES)(ScoringActor.open)
        actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=0)(ScoringActor)
        self._actors = {worker: actor.remote() for worker in range(workers)}
        self._tasks: dict[Any, tuple[int, Piece | None]] = {}
        for worker in self._actors:
            self._open(worker)

    def next_event(self) -> Opened | Finished | Failed | None:
        """See :class:`~edge_runtime.score.dispatch.Crew`."""
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

    def give(self, worker: int, piece: Piece) -> None:
        """See :class:`~edge_runtime.score.dispatch.Crew`."""
        self._tasks[self._actors[worker].score.remote(piece)] = worker, piece

    def dismiss(self, worker: int) -> None:
        """See :class:`~edge_runtime.score.dispatch.Crew`."""
        self._tasks = {task: seat for task, seat in self._tasks.items() if seat[0] != worker}
        self._ray.kill(self._actors.pop(worker))

    def close(self) -> None:
        """Ends all of them at once, whatever they do."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()

    def _open(self, worker: int) -> None:
        self._tasks[self._actors[worker].open.remote(self._opened, self._job, self._bundle)] = worker, None
