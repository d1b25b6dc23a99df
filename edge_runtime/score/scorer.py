"""Scores the photos of a shard: what a worker process does, wherever it runs."""

from __future__ import annotations

import io
import os
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_runtime.bundle.manifest import Artifact
from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import ImageError
from edge_runtime.engines.cpu import cpu
from edge_runtime.golden import selftest
from edge_runtime.output.records import ParquetWriter, Value, row
from edge_runtime.score.destination import destination
from edge_runtime.score.job import Job, opened_bundle
from edge_runtime.score.photos import Photo
from edge_runtime.score.plan import ERRORS_KEY, PLAN_FILE, PLAN_KEY, part_name
from edge_runtime.score.reader import Reader
from edge_runtime.score.storage import Storage

Rows = list[list[Value]]
Shape = tuple[int, tuple[str, ...]]
"""Classes of a row, and the fields of rules in it."""


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
class Part:
    """A shard that is done.

    Attributes:
        shard: Its number.
        images: Its photos.
        errors: Photos among them that could not be used.
        seconds: What it took.
    """

    shard: int
    images: int
    errors: int
    seconds: float


@dataclass
class Scorer:
    """Scores shards in one process. It knows nothing of the other processes.

    Attributes:
        machine: What it says of itself.
    """

    machine: Machine
    _job: Job
    _classifier: Classifier | None = field(repr=False)

    @classmethod
    def open(cls, job: Job, bundle: Path) -> Scorer:
        """Opens the bundle and replays its golden examples on the artifact of the plan.

        Args:
            job: The run.
            bundle: The bundle's zip on this machine.

        Returns:
            A scorer; its :attr:`machine` says why if it must take no part.
        """
        found = Machine(platform.node(), os.getpid(), cpu=cpu().name, flags=cpu().flags)
        if apart := _apart(job):
            return cls(replace(found, refused=apart), job, None)
        opened, plan = opened_bundle(bundle, job.bundle_sha256), job.plan
        replayed = 0
        if opened.manifest.golden is not None:
            replay = selftest(opened, artifacts=[plan.artifact], engine=plan.engine)
            failed = [one for one in replay.replays if one.failed is not None]
            if failed or not replay.replays:
                why = (
                    f"{failed[0].file}, {failed[0].failed}: {failed[0].detail}"
                    if failed
                    else "no engine runs it"
                )
                return cls(replace(found, refused=f"golden example {why}"), job, None)
            replayed = len(replay.replays)
        classifier = Classifier(
            opened, opened.artifact(plan.artifact), engine=plan.engine,
            max_bytes=plan.max_bytes, max_pixels=plan.max_pixels,
        )  # fmt: skip
        return cls(replace(found, engine=classifier.engine, replayed=replayed), job, classifier)

    def rows(self, photos: Sequence[Photo]) -> Rows:
        """Scores photos.

        Args:
            photos: In order.

        Returns:
            A row for each, in the columns of ``predict --format parquet``.
        """
        assert self._classifier is not None
        plan, classifier = self._job.plan, self._classifier
        classes, ruled = self._shape(classifier)
        reader = Reader(Storage(self._job.s3_endpoint), plan.max_bytes)
        found: Rows = []
        for photo, source in zip(photos, reader.sources(photos), strict=True):
            try:
                answer = source if isinstance(source, ImageError) else classifier.classify(source, plan.top_k)
            except ImageError as error:
                answer = error
            found.append(row(photo.name, answer, classes, ruled))
        return found

    def shard(self, shard: int, photos: Sequence[Photo]) -> Part:
        """Scores a shard and writes its part.

        Args:
            shard: Its number.
            photos: Its photos.

        Raises:
            UsageError: The destination cannot be written.
        """
        started = time.perf_counter()
        rows = self.rows(photos)
        assert self._classifier is not None
        return write_part(self._job, self.machine, self._shape(self._classifier), shard, rows, started)

    def _shape(self, classifier: Classifier) -> Shape:
        return shape_of(len(classifier.labels), classifier.artifact, self._job.plan.top_k)


def _apart(job: Job) -> str:
    """Why a machine cannot do the work, however it answers: it does not see the disk of the driver."""
    with suppress(OSError):
        # Of what is named by relative paths, the next lines say that it is not here.
        os.chdir(job.folder)
    if destination(job.out, Storage(job.s3_endpoint)).read(PLAN_FILE) != job.plan.encoded():
        return f"--out {job.out} is not the driver's here; pass a folder that all machines share, or an s3:// prefix"
    if job.seen is not None and not os.path.exists(job.seen):
        return f"{job.seen} is not here; put the photos where all machines see them, or in S3"
    return ""


def shape_of(classes: int, artifact: Artifact, top_k: int) -> Shape:
    """Classes of a row, and the fields of rules in it.

    Args:
        classes: Of the model.
        artifact: The bundle's entry.
        top_k: Classes asked for.
    """
    return min(top_k, classes), artifact.rules.fields if artifact.rules is not None else ()


def write_part(job: Job, machine: Machine, shape: Shape, shard: int, rows: Rows, started: float) -> Part:
    """Writes the file of a shard, whole or not at all.

    Args:
        job: The run.
        machine: Who scored it, for the footer.
        shape: As :func:`shape_of` has it.
        shard: Its number.
        rows: All of its rows.
        started: When scoring began, by ``time.perf_counter``.

    Raises:
        UsageError: The destination cannot be written.
    """
    classes, ruled = shape
    held = io.BytesIO()
    # Second of the columns: why a photo could not be used.
    errors = sum(values[1] is not None for values in rows)
    facts = {
        PLAN_KEY: job.plan.sha256, ERRORS_KEY: str(errors), b"snapship.engine": machine.engine,
        b"snapship.cpu": machine.cpu, b"snapship.cpu_flags": " ".join(machine.flags),
        b"snapship.replayed": str(machine.replayed),
    }  # fmt: skip
    writer = ParquetWriter(held, classes, ruled, metadata={key: text.encode() for key, text in facts.items()})
    for values in rows:
        writer.write_row(values)
    writer.finish()
    storage = Storage(job.s3_endpoint)
    destination(job.out, storage).write(part_name(shard, job.plan.shards), held.getvalue())
    return Part(shard, len(rows), errors, time.perf_counter() - started)
