"""Scores the photos of a shard: what a worker process does, wherever it runs."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import ImageError
from edge_runtime.engines.cpu import cpu
from edge_runtime.golden import selftest
from edge_runtime.score.destination import Destination, destination
from edge_runtime.score.job import Job, opened_bundle
from edge_runtime.score.parts import Part, Parts, Rows
from edge_runtime.score.photos import Photo
from edge_runtime.score.plan import PLAN_FILE, Plan
from edge_runtime.score.reader import Reader
from edge_runtime.score.storage import Storage
from edge_runtime.workers.crew import Machine, Piece


@dataclass(frozen=True)
class _Work:
    """What a worker that takes part works with."""

    classifier: Classifier
    reader: Reader
    parts: Parts
    top_k: int


class Scorer:
    """Scores shards in one process. It knows nothing of the other processes.

    Attributes:
        machine: What it says of itself.
    """

    def __init__(self, machine: Machine, work: _Work | None) -> None:
        """See :meth:`open`."""
        self.machine, self._work = machine, work

    @classmethod
    def open(cls, job: Job, bundle: Path) -> Scorer:
        """Opens the bundle and replays its golden examples on the artifact of the plan.

        Args:
            job: The run.
            bundle: The bundle's zip on this machine.

        Returns:
            A scorer; its :attr:`machine` says why if it must take no part.

        Raises:
            BundleError: The bundle is not the driver's.
            EnvironmentMissingError: The engine is not installed here.
        """
        found = Machine(platform.node(), os.getpid(), cpu=cpu().name, flags=cpu().flags)
        storage = Storage(job.s3_endpoint)
        out = destination(job.out, storage)
        if apart := _apart(job, out):
            return cls(replace(found, refused=apart), None)
        opened, plan = opened_bundle(bundle, job.bundle_sha256), job.plan
        replayed, differs = _replayed(opened, plan)
        if differs:
            return cls(replace(found, refused=f"golden example {differs}"), None)
        artifact = opened.artifact(plan.artifact)
        classifier = Classifier(
            opened, artifact, engine=plan.engine, max_bytes=plan.max_bytes, max_pixels=plan.max_pixels
        )
        parts = Parts(plan, artifact, len(classifier.labels), out)
        work = _Work(classifier, Reader(storage, plan.max_bytes), parts, plan.top_k)
        return cls(replace(found, engine=classifier.engine, replayed=replayed), work)

    def rows(self, photos: Sequence[Photo]) -> Rows:
        """Scores photos.

        Args:
            photos: In order.

        Returns:
            A row for each, in the columns of ``predict --format parquet``.

        Raises:
            EnvironmentMissingError: S3 does not answer.
        """
        work = self._at_work
        found: Rows = []
        for photo, source in zip(photos, work.reader.sources(photos), strict=True):
            try:
                answer = (
                    source if isinstance(source, ImageError) else work.classifier.classify(source, work.top_k)
                )
            except ImageError as error:
                answer = error
            found.append(work.parts.row(photo.name, answer))
        return found

    def work(self, piece: Piece[Photo]) -> Part | Rows:
        """Scores a piece: of a whole shard the part is written, of less the rows are returned.

        Args:
            piece: A shard, or photos of one.

        Raises:
            EnvironmentMissingError: S3 does not answer.
            UsageError: The destination cannot be written.
        """
        return self.shard(piece.shard, piece.items) if piece.whole else self.rows(piece.items)

    def shard(self, shard: int, photos: Sequence[Photo]) -> Part:
        """Scores a shard and writes its part.

        Args:
            shard: Its number.
            photos: Its photos.

        Raises:
            EnvironmentMissingError: S3 does not answer.
            UsageError: The destination cannot be written.
        """
        started = time.perf_counter()
        return self._at_work.parts.write(shard, self.rows(photos), self.machine, started)

    @property
    def _at_work(self) -> _Work:
        assert self._work is not None, self.machine.refused
        return self._work


def _apart(job: Job, out: Destination) -> str:
    """Why a machine cannot do the work, however it answers: it does not see the disk of the driver."""
    with suppress(OSError):
        # Of what is named by relative paths, the next lines say that it is not here.
        os.chdir(job.folder)
    if out.read(PLAN_FILE) != job.plan.encoded():
        return f"--out {job.out} is not the driver's here; pass a folder that all machines share, or an s3:// prefix"
    if job.seen is not None and not os.path.exists(job.seen):
        return f"{job.seen} is not here; put the photos where all machines see them, or in S3"
    return ""


def _replayed(bundle: Bundle, plan: Plan) -> tuple[int, str]:
    """How many golden examples gave the recorded answers, and the first difference, if any."""
    if bundle.manifest.golden is None:
        return 0, ""
    replays = selftest(bundle, artifacts=[plan.artifact], engine=plan.engine).replays
    failed = next((one for one in replays if one.failed is not None), None)
    if failed is not None:
        return 0, f"{failed.file}, {failed.failed}: {failed.detail}"
    return len(replays), "" if replays else "that no engine here runs"
