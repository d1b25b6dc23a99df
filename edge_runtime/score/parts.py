"""The files of a run: rows in the columns of ``predict --format parquet``, and who made them in the footer."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.errors import ImageError
from edge_runtime.common.progress import Progress
from edge_runtime.engines.result import Result
from edge_runtime.output.records import ParquetWriter, Value, row
from edge_runtime.score.destination import Destination
from edge_runtime.score.plan import ERRORS_KEY, PLAN_KEY, Plan, part_name
from edge_runtime.workers.crew import Machine

Rows = list[list[Value]]

_READERS = 16
"""Footers that are read at once: over a network each takes longer than all on a disk."""


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


class Parts:
    """Writes and finds the parts of a run."""

    def __init__(self, plan: Plan, artifact: Artifact, classes: int, out: Destination) -> None:
        """Keeps what all parts share.

        Args:
            plan: The run's plan.
            artifact: The bundle's entry.
            classes: Classes of the model.
            out: Where they are.
        """
        self._plan, self._out = plan, out
        self._classes = min(plan.top_k, classes)
        self._ruled = artifact.rules.fields if artifact.rules is not None else ()

    def row(self, name: str, answer: Result | ImageError) -> list[Value]:
        """The row of a photo.

        Args:
            name: How results name it.
            answer: Its result or error.
        """
        return row(name, answer, self._classes, self._ruled)

    def write(self, shard: int, rows: Rows, machine: Machine, started: float) -> Part:
        """Writes the file of a shard, whole or not at all.

        Args:
            shard: Its number.
            rows: All of its rows.
            machine: Who scored it.
            started: When scoring began, by ``time.perf_counter``.

        Raises:
            UsageError: The destination cannot be written.
        """
        held = io.BytesIO()
        # Second of the columns: why a photo could not be used.
        errors = sum(values[1] is not None for values in rows)
        facts = {
            PLAN_KEY: self._plan.sha256, ERRORS_KEY: str(errors), b"snapship.engine": machine.engine,
            b"snapship.cpu": machine.cpu, b"snapship.cpu_flags": " ".join(machine.flags),
            b"snapship.replayed": str(machine.replayed),
        }  # fmt: skip
        footer = {key: text.encode() for key, text in facts.items()}
        writer = ParquetWriter(held, self._classes, self._ruled, metadata=footer)
        for values in rows:
            writer.write_row(values)
        writer.finish()
        self._out.write(part_name(shard, self._plan.shards), held.getvalue())
        return Part(shard, len(rows), errors, time.perf_counter() - started)

    def there(self, progress: Progress) -> Iterator[tuple[int, int]]:
        """Finds what an earlier run has finished.

        Args:
            progress: Called with the parts that were read.

        Yields:
            Numbers of shards, and the errors in each.
        """
        held = set(self._out.names())
        names = {part_name(shard, self._plan.shards): shard for shard in range(self._plan.shards)}
        found = [name for name in names if name in held]
        own = self._plan.sha256.encode()
        with ThreadPoolExecutor(_READERS) as threads:
            footers = threads.map(self._out.footer, found)
            for done, (name, footer) in enumerate(zip(found, footers, strict=True), start=1):
                progress("Reading finished parts", done, len(found))
                if footer.get(PLAN_KEY) == own:
                    yield names[name], int(footer[ERRORS_KEY])
