"""Time from the start of a process to its first answer from a JPEG, and the memory that loading takes.

Alternating, each in a fresh process: the runtime, its command `snapship predict`, a minimal hand-written script
on the same interpreter (`benchmarks/edge_client.py`), and the same with TensorFlow's own interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edge_model import ROOT, edge_model, edge_parser, facts
from benchmarks.options import add_before
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result

MODULE = "benchmarks.edge_cold_start"
CLIENT = Path(__file__).with_name("edge_client.py")
KIND = "tflite-int8"
EARLIER = "snapship predict, before"

METHOD = """Time from the start of `python` to the first line of its answer for one 320x240 JPEG, with the int8 artifact
and all files in the page cache. *By hand*: a dozen lines with Pillow, NumPy and the interpreter that verify nothing.
*RSS*: resident memory once the model is loaded, before the first answer; *bare*: NumPy and the interpreter alone,
without Pillow. The ways alternate over {rounds} rounds; *best* is the fastest, which other work on the machine affects
least."""

BARE = """
import sys
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
print(0, int(open("/proc/self/statm", "rb").read().split()[1]) * 4096, flush=True)
"""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=9, help="starts of each (default 9)")
    add_before(made)
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds = 1
    with tempfile.TemporaryDirectory() as name:
        folder, photos = edge_model(made, options, Path(name))
        machine = facts()
        found = measure(
            folder / "model.bundle", photos[0], options.rounds, options.before, warm=not options.quick
        )
    result = _result(options, machine, command_line(MODULE, arguments), found)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def measure(
    bundle: Path, photo: Path, rounds: int, before: Path | None = None, *, warm: bool = True
) -> dict[str, list[tuple[float, int]]]:
    """Seconds to the first answer and bytes of memory, of each start of each way.

    Args:
        bundle: With an int8 artifact.
        photo: A JPEG.
        rounds: Starts of each.
        before: Another checkout, whose `snapship predict` starts too.
        warm: Whether a round that does not count comes first.

    Raises:
        ValueError: The ways do not answer alike.
    """
    bundle, photo = bundle.absolute(), photo.absolute()
    file = next(bundle.glob("*_int8.tflite"))
    ways: dict[str, list[Any]] = {
        "snapship": [CLIENT, "snapship", f"{bundle}:{KIND}", "--once", photo],
        "snapship predict": ["-m", "snapship", "predict", bundle, photo, "--artifact", KIND],
        "by hand": [CLIENT, "litert", file, "--once", photo],
        "TensorFlow by hand": [CLIENT, "tf.lite", file, "--once", photo],
        "bare": ["-c", BARE, file],
    }
    places = dict.fromkeys(ways, (sys.executable, ROOT))
    if before is not None:
        ways[EARLIER] = ways["snapship predict"]
        places[EARLIER] = str(before.absolute() / ".venv" / "bin" / "python"), before
    found: dict[str, list[tuple[float, int]]] = {way: [] for way in ways}
    answers: dict[str, str] = {}
    # The first round reads the files into the page cache and leaves the bytecode that an install has.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    if warm:
        environment["PYTHONPYCACHEPREFIX"] = str(bundle.parent / "bytecode")
    for turn in range(-1 if warm else 0, rounds):
        for way, words in ways.items():
            program, folder = places[way]
            began = time.perf_counter()
            with subprocess.Popen(
                [program, *map(str, words)], cwd=folder, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, env=environment,
            ) as child:  # fmt: skip
                assert child.stdout is not None
                line = child.stdout.readline()
                spent = time.perf_counter() - began
            if child.returncode or not line:
                raise ValueError(f"Every way must answer. Received: {way}, exit code {child.returncode}.")
            memory = 0
            if "predict" not in way:
                answers[way], size = line.split()
                memory = int(size)
            if turn >= 0:
                found[way].append((spent, memory))
    if answers["snapship"] != answers["by hand"] or answers["by hand"] != answers["TensorFlow by hand"]:
        raise ValueError(f"The ways must answer alike. Received: {answers}.")
    return found


def _result(
    options: Any, machine: dict[str, str], command: str, found: dict[str, list[tuple[float, int]]]
) -> Result:
    best = {way: min(spent for spent, _ in starts) for way, starts in found.items()}
    memory = {way: float(np.median([size for _, size in starts])) / 1e6 for way, starts in found.items()}
    rows: list[tuple[Cell, ...]] = [
        (
            way, best[way] * 1e3, float(np.median([spent for spent, _ in starts])) * 1e3,
            best[way] / best["by hand"], memory[way] or None,
        )
        for way, starts in found.items()
    ]  # fmt: skip
    return Result(
        name="edge-cold-start",
        group="edge-cold-start",
        title="Process start to first answer, and memory",
        method=METHOD.format(rounds=options.rounds),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"rounds": options.rounds, "artifact": KIND},
        columns=(
            Column("way"), Column("best ms", "count"), Column("median ms", "count"),
            Column("by hand's", "ratio"), Column("RSS MB", "seconds"),
        ),
        rows=tuple(rows),
        figures=(
            Figure("first answer: snapship by by-hand", best["snapship"] / best["by hand"], most=1.15),
            Figure("first answer: snapship predict by by-hand", best["snapship predict"] / best["by hand"]),
            Figure(
                "first answer: TensorFlow's interpreter by snapship",
                best["TensorFlow by hand"] / best["snapship"], least=10.0,
            ),
            Figure(
                "RSS after load: snapship minus bare interpreter, MB",
                memory["snapship"] - memory["bare"], most=10.0,
            ),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
