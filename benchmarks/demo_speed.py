"""How long `snapship demo` takes, from the start of the process: train, export, check and predict on digits.

With --before, another checkout runs its own demo, in turns.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.options import (
    BEFORE,
    ENVIRONMENT,
    HERE,
    add_before,
    checkouts,
    parser,
    rounds_in_words,
)  # fmt: skip
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from exporter.common.backend import load_keras

MODULE = "benchmarks.demo_speed"

METHOD = """`snapship demo --json` in a fresh process and a fresh folder{turns}. Processor time includes child
processes. Top-1 is the full model's on the held-out digits. Seconds of {rounds}."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=3)
    add_before(made)
    options = made.parse_args(arguments)
    repeats = 1 if options.quick else options.repeats
    facts = machine(load_keras())
    places = checkouts(options.before)
    rounds: dict[str, list[tuple[float, float, float]]] = {way: [] for way in places}
    for _ in range(repeats):
        for way, place in places.items():
            rounds[way].append(_demo(place))
    middle = {
        way: [statistics.median(numbers) for numbers in zip(*found, strict=True)]
        for way, found in rounds.items()
    }
    rows: list[tuple[Cell, ...]] = [(way, *numbers) for way, numbers in middle.items()]
    figures = [Figure("seconds of the demo", middle[HERE][0])]
    if BEFORE in middle:
        figures.append(
            Figure("seconds of the demo, by those of the commit before", middle[HERE][0] / middle[BEFORE][0])
        )
    result = Result(
        name="demo-speed", group="demo-speed", title="Seconds of the demo",
        method=METHOD.format(
            turns=", both commits in turns" if BEFORE in rounds else "", rounds=rounds_in_words(repeats)
        ),
        command=command_line(MODULE, arguments), created=now(), quick=options.quick, machine=facts,
        settings={"repeats": repeats},
        columns=(
            Column("commit"), Column("s", "seconds"), Column("s of processor time", "seconds"),
            Column("top-1", "percent"),
        ),
        rows=tuple(rows), figures=tuple(figures),
    )  # fmt: skip
    print(f"wrote {write_result(result, options.results)}: {result.figures[-1].value:.2f}", file=sys.stderr)
    return result


def _demo(checkout: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and the full model's top-1, 0..1."""
    with tempfile.TemporaryDirectory() as folder:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "snapship", "demo", "--json", "--out", f"{folder}/demo"],
            env={**ENVIRONMENT, "PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, json.loads(done.stdout)["val_top1"]


if __name__ == "__main__":
    main()
