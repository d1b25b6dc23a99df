"""Speed-up of more workers in `classify_many`, with answers in order and constant memory.

The same photos, repeated, with one, two and four workers alternating; then a long stream with two, whose
memory is measured.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.edge_model import edge_model, edge_parser, facts
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime import Classifier
from edge_runtime.cold_start import resident_bytes

MODULE = "benchmarks.edge_throughput"
KIND = "tflite-int8"
WORKERS = (1, 2, 4)

METHOD = """`classify_many` on JPEG files of 320x240, int8, {images} images per turn, {rounds} turns per number of
workers, alternating. *Cores*: CPU time divided by elapsed time, which a busy machine keeps below the number of
workers; *img/s and core* is independent of that. *Best*: the fastest turn. The answers of several workers equal
those of one, in order. Memory is resident memory after {settle} and after {stream} images of one stream."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=7, help="turns of each (default 7)")
    made.add_argument("--images", type=int, default=400, help="images of a turn (default 400)")
    made.add_argument("--stream", type=int, default=10_000, help="images of the long stream (default 10000)")
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds, options.images, options.stream = 2, 20, 300
    with tempfile.TemporaryDirectory() as name:
        folder, photos = edge_model(made, options, Path(name))
        machine = facts()
        with Classifier.open(folder / "model.bundle", KIND) as classifier:
            turns = _turns(classifier, photos, options.rounds, options.images)
            settle = options.stream // 10
            memory = _stream(classifier, photos, options.stream, settle)
    result = _result(options, machine, command_line(MODULE, arguments), turns, settle, memory)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _turns(
    classifier: Classifier, photos: list[Path], rounds: int, images: int
) -> dict[int, list[tuple[float, float]]]:
    """Wall and CPU seconds of each turn, by workers."""
    found: dict[int, list[tuple[float, float]]] = {workers: [] for workers in WORKERS}
    expected: list[Any] = []
    for turn in range(-1, rounds):
        for workers in WORKERS:
            before, cpu = time.perf_counter(), time.process_time()
            answers = list(classifier.classify_many(_some(photos, images), workers=workers))
            spent = time.perf_counter() - before, time.process_time() - cpu
            expected = expected or answers
            if answers != expected:
                raise ValueError(
                    f"Answers must be the same, in order. Received: others with {workers} workers."
                )
            if turn >= 0:
                found[workers].append(spent)
    return found


def _stream(classifier: Classifier, photos: list[Path], count: int, settle: int) -> tuple[int, int]:
    """Resident bytes after ``settle`` images and at the end."""
    early = 0
    for number, _ in enumerate(classifier.classify_many(_some(photos, count), workers=2), 1):
        if number == settle:
            early = resident_bytes()
    return early, resident_bytes()


def _some(photos: list[Path], count: int) -> Iterator[Path]:
    return islice(cycle(photos), count)


def _result(
    options: Any,
    machine: dict[str, str],
    command: str,
    turns: dict[int, list[tuple[float, float]]],
    settle: int,
    memory: tuple[int, int],
) -> Result:
    fastest = {workers: min(found) for workers, found in turns.items()}
    rows: list[tuple[Cell, ...]] = [
        (
            str(workers), options.images / wall, cpu / wall, options.images / cpu,
            fastest[1][0] / wall,
        )
        for workers, (wall, cpu) in fastest.items()
    ]  # fmt: skip
    # What two workers would reach if each had a core: how little CPU time the second one wastes.
    free = 2.0 * fastest[1][1] / fastest[2][1]
    return Result(
        name="edge-throughput",
        group="edge-throughput",
        title="Several workers",
        method=METHOD.format(
            images=options.images, rounds=options.rounds, settle=f"{settle:,}", stream=f"{options.stream:,}"
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"rounds": options.rounds, "images": options.images, "stream": options.stream},
        columns=(
            Column("workers"), Column("img/s", "rate"), Column("cores", "ratio"),
            Column("img/s and core", "rate"), Column("by one worker", "ratio"),
        ),
        rows=tuple(rows),
        figures=(
            Figure("images a second: two workers by one", fastest[1][0] / fastest[2][0]),
            Figure("images a second: four workers by two", fastest[2][0] / fastest[4][0]),
            Figure("twice the CPU time of one worker by that of two: the same on free cores", free),
            Figure(
                f"memory growth from image {settle:,} to {options.stream:,}, MB",
                (memory[1] - memory[0]) / 1e6,
            ),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
