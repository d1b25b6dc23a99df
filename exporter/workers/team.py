"""The workers of a check as seen by the check: scorers that hand batches to them.

Batches begin at multiples of the full model's own, and each artifact sees one image at a time, so every score has the
bits that this process would compute; what is counted, fitted and written from the scores is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.common.cores import cores
from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.common.text import printable
from edge_runtime.engines import Engine
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from edge_runtime.workers.crew import Crew, OpenWorker, Piece
from edge_runtime.workers.dispatch import TRIES, Dispatch
from edge_runtime.workers.processes import Processes
from exporter.judge.cpu_kernels import can_overflow
from exporter.judge.run_artifacts import open_engines
from exporter.source.candidate import Candidate
from exporter.source.score_table import score_table
from exporter.source.scoring import FULL_BATCH, Scorer, engine_scorer
from exporter.workers.sent_models import SentModels, write_zip
from exporter.workers.worker import Batch, CheckWorker, Job, Scored, Step

MOST_IMAGES = 8 * FULL_BATCH
"""Images of a batch: at 224 they are 10 MB, which is what a worker that ends loses, and what is on its way to each."""

_BATCHES_EACH = 4
"""Batches that each worker gets at least, where there are enough images, so that all end together."""

PROBES = FULL_BATCH
"""Images of noise on which a worker must give the scores of this process."""


class Team:
    """Scores images with workers; see :class:`~exporter.source.scoring.Scoring`."""

    def __init__(self, crew: Crew[Batch, Any], workers: int) -> None:
        """Keeps what it needs.

        Args:
            crew: The workers.
            workers: How many.
        """
        self._workers = workers
        self._dispatch: Dispatch[Batch, Scored, Any] = Dispatch(crew, _lost, _nobody)
        self._told = 0

    def full(self) -> Scorer:
        """The full model."""
        return self._scorer(Step("full"))

    def artifact(
        self, candidate: Candidate, engine: Engine, classes: int, *, threads: int, exact: bool = False
    ) -> Scorer:
        """See :class:`~exporter.source.scoring.Scoring`."""
        return self._scorer(Step("exact" if exact else "artifact", candidate.name), engine)

    def output(self, candidate: Candidate, engine: Engine, output: str) -> Scorer:
        """See :class:`~exporter.source.scoring.Scoring`."""
        return self._scorer(Step("output", candidate.name, output))

    def _scorer(self, way: Step, engine: Engine | None = None) -> Scorer:
        def score(
            pixels: UInt8Array, progress: Progress = no_progress, step: str = "scoring"
        ) -> Float32Array:
            size, done = self._batch_size(len(pixels)), 0
            table: Float32Array | None = None
            progress(step, 0, len(pixels))
            for found in self._dispatch.run(_batches(way, pixels, size)):
                if table is None:
                    table = score_table(len(pixels), found.scores.shape[1])
                table[found.first : found.first + len(found.scores)] = found.scores
                if isinstance(engine, CascadeEngine):
                    engine.seen += found.seen
                    engine.passed_on += found.passed_on
                done += len(found.scores)
                progress(step, done, len(pixels))
            assert table is not None
            self._tell(progress)
            return table

        return score

    def _tell(self, progress: Progress) -> None:
        """Says which workers take no part, each once."""
        for machine in self._dispatch.refused[self._told :]:
            progress(f"left out a worker: {printable(machine.refused)}", 0, 0)
        self._told = len(self._dispatch.refused)

    def _batch_size(self, images: int) -> int:
        """A multiple of the full model's batch, as its sums depend on which images it sees together."""
        each = -(-images // (_BATCHES_EACH * self._workers))
        return min(MOST_IMAGES, FULL_BATCH * -(-each // FULL_BATCH))


@contextmanager
def team(
    models: SentModels,
    full: Scorer,
    candidates: list[Candidate],
    shape: tuple[int, ...],
    *,
    threads: int,
    workers: int | None,
    ray: str | None,
) -> Iterator[Team]:
    """Starts workers, and ends them with the block.

    Args:
        models: What they open.
        full: The full model in this process, which the workers are compared with.
        candidates: The artifacts; those that no engine runs here are not sent a batch.
        shape: Height, width and channels of the images.
        threads: Threads of one inference.
        workers: How many; None for one per core of the cluster.
        ray: Address of a Ray cluster; None for processes of this machine.

    Raises:
        EnvironmentMissingError: Ray is missing, or no cluster answers.
        ModelFileError: An artifact does not load, takes other images or has other classes.
    """
    probes = np.random.default_rng(0).integers(0, 256, (PROBES, *shape), dtype=np.uint8)
    expected = _expected(full, candidates, probes, threads)
    with temporary_folder() as folder:
        sent = folder / "models.zip"
        write_zip(models, sent)
        opened = partial(CheckWorker.open, Job(models, threads, probes, expected))
        with _crew(opened, sent, workers, ray) as (crew, count):
            yield Team(crew, count)


@contextmanager
def _crew(
    opened: OpenWorker, sent: Path, workers: int | None, ray: str | None
) -> Iterator[tuple[Crew[Batch, Any], int]]:
    if ray is None:
        count = workers or cores()
        with closing(Processes(opened, sent, count)) as crew:
            yield crew, count
        return
    from cluster.connection import CHECK_SENT, joined
    from cluster.ray_crew import RayCrew

    with joined(ray, CHECK_SENT) as module:
        count = workers or int(module.cluster_resources().get("CPU", 1))
        with closing(RayCrew(module, opened, sent, count)) as actors:
            yield actors, count


def _expected(
    full: Scorer, candidates: list[Candidate], probes: UInt8Array, threads: int
) -> Mapping[Step, Float32Array]:
    """The scores of this process by step."""
    expected = {Step("full"): full(probes)}
    classes = expected[Step("full")].shape[1]
    judged = [one for one in candidates if not one.unusable]
    with open_engines(judged, threads, probes.shape[1:], classes) as engines:
        for name, engine in engines.items():
            expected[Step("artifact", name)] = engine_scorer(engine, classes)(probes)
    for one in filter(can_overflow, judged):
        try:
            with quiet():
                engine = one.open(threads, exact=True)
        except ModelFileError:
            # It has no exact form: the check will say so.
            continue
        with closing(engine):
            expected[Step("exact", one.name)] = engine_scorer(engine, classes)(probes)
    return expected


def _batches(step: Step, pixels: UInt8Array, size: int) -> Iterator[tuple[int, list[Batch]]]:
    for shard, first in enumerate(range(0, len(pixels), size)):
        yield shard, [Batch(step, first, np.asarray(pixels[first : first + size]))]


def _lost(piece: Piece[Batch], reason: str) -> EnvironmentMissingError:
    (batch,) = piece.items
    last = batch.first + len(batch.pixels)
    return EnvironmentMissingError(
        f"Every image of a check must be scored. Received: images {batch.first + 1} to {last} with {batch.step}, which "
        f"failed {TRIES} times ({reason}). Free some memory, pass fewer --workers, or leave it out."
    )


def _nobody(reasons: str) -> EnvironmentMissingError:
    return EnvironmentMissingError(
        f"A worker must give the very scores of this machine. Received: none that does ({reasons}). Give it the same "
        "packages and the same kind of CPU, or leave out --workers and --ray."
    )
