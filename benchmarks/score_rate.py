"""Images a second of `snapship score` with two workers, after their start, by those of `classify_many(workers=2)`.

The same photos, in turns. A long run follows, during which the memory of all processes is measured.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.edge_model import edge_model, edge_parser, facts
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime import Classifier
from edge_runtime.score.scoring import ScoreConfig, score
from edge_runtime.workers.crew import Failed, Finished, Opened, OpenWorker
from edge_runtime.workers.processes import Processes

MODULE = "benchmarks.score_rate"
KIND = "tflite-int8"
WORKERS = 2
SHARD = 50

METHOD = """JPEG files of 320x240, int8, {images} images a turn, {rounds} turns of each, alternating: `classify_many`
with two threads, and `snapship score` with two processes that write Parquet files, timed from when both have replayed
the golden examples. Medians. *Memory*: private memory of all processes of a run of {long} images, after a tenth of it
and at its end."""


class Timed(Processes):
    """Hands out no shard before all workers are ready, and notes when that was and when the last shard was done."""

    def __init__(self, opened: OpenWorker, sent: Path, workers: int, shards: int) -> None:
        super().__init__(opened, sent, workers)
        self._ready = [event for event in (super(Timed, self).next_event() for _ in range(workers)) if event]
        self._pids = [os.getpid(), *(each.machine.pid for each in self._ready if isinstance(each, Opened))]
        self._shards, self._tenth = shards, max(1, shards // 10)
        self._done = self.early_bytes = self.late_bytes = 0
        self.began = self.ended = time.perf_counter()

    def next_event(self) -> Opened | Finished[Any, Any] | Failed[Any] | None:
        """See the base class."""
        if self._ready:
            return self._ready.pop()
        event = super().next_event()
        if isinstance(event, Finished):
            self._done += 1
            self.ended = time.perf_counter()
            # Reading it takes milliseconds, so not after each.
            if self._done in (self._tenth, self._shards):
                self.late_bytes = sum(map(_private_bytes, self._pids))
            if self._done == self._tenth:
                self.early_bytes = self.late_bytes
        return event


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    made.add_argument("--images", type=int, default=1_000, help="images of a turn (default 1000)")
    made.add_argument("--long", type=int, default=10_000, help="images of the long run (default 10000)")
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds, options.images, options.long = 1, 100, 200
    threads, processes = [], []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder, photos = edge_model(made, options, place)
        machine, bundle = facts(), folder / "model.bundle"
        for turn in range(options.rounds):
            some = [str(photo) for photo in islice(cycle(photos), options.images)]
            with Classifier.open(bundle, KIND) as classifier:
                list(classifier.classify_many(some[:20], workers=WORKERS))
                before = time.perf_counter()
                list(classifier.classify_many(some, workers=WORKERS))
                threads.append(options.images / (time.perf_counter() - before))
            crew = _scored(bundle, some, place / f"out-{turn}")
            processes.append(options.images / (crew.ended - crew.began))
        crew = _scored(bundle, [str(photo) for photo in islice(cycle(photos), options.long)], place / "long")
    result = _result(options, machine, command_line(MODULE, arguments), threads, processes, crew)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _scored(bundle: Path, photos: list[str], out: Path) -> Timed:
    crews: list[Timed] = []

    def start(opened: OpenWorker, sent: Path, workers: int) -> Timed:
        crews.append(Timed(opened, sent, workers, -(-len(photos) // SHARD)))
        return crews[0]

    score(
        ScoreConfig(bundle, photos, str(out), artifact=KIND, workers=WORKERS, shard_size=SHARD), start=start
    )
    return crews[0]


def _private_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def _result(
    options: Any,
    machine: dict[str, str],
    command: str,
    threads: list[float],
    processes: list[float],
    crew: Timed,
) -> Result:
    ratios = [mine / theirs for mine, theirs in zip(processes, threads, strict=True)]
    rows: list[tuple[Cell, ...]] = [
        (f"classify_many(workers={WORKERS})", statistics.median(threads), 1.0),
        (f"snapship score --workers {WORKERS}", statistics.median(processes), statistics.median(ratios)),
    ]
    growth = (crew.late_bytes - crew.early_bytes) / 1e6
    return Result(
        name="score-rate",
        group="score-rate",
        title="Scoring to files",
        method=METHOD.format(
            images=f"{options.images:,}", rounds=options.rounds, long=f"{options.long:,}"
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"rounds": options.rounds, "images": options.images, "long": options.long, "shard_size": SHARD},
        columns=(Column("way"), Column("img/s", "rate"), Column("by classify_many", "ratio")),
        rows=tuple(rows),
        figures=(
            Figure("images a second: score by classify_many, two workers each", statistics.median(ratios)),
            Figure("memory of all processes, MB", crew.late_bytes / 1e6),
            Figure("memory growth from a tenth of the long run to its end, MB", growth),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
