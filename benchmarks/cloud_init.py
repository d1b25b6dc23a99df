"""Time from the start of a process until the handler can answer: the wait of a cold start.

Alternating, each in a fresh process: the handler's module as Lambda imports it, and a bare script that imports the
same libraries and opens the same model.
"""

from __future__ import annotations

import json
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
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result

MODULE = "benchmarks.cloud_init"
KIND = "tflite-int8"

MOST = 1.3
"""What the handler may take of the bare script's time."""

METHOD = """Time from the start of `python` to a line that says it is ready. *Handler*: `serverless.app.handler`, with
the manifest read, every hash verified, the model opened and the routes built. *Bare*: a script that imports the same
libraries (checked: {libraries}) and opens the int8 file in the same interpreter. Bytecode and files are in the page
cache; `OPENBLAS_NUM_THREADS=1` as in the package. The two alternate over {rounds} rounds; *ratio* is the median of
the pairs' ratios."""

HANDLER = """
import serverless.app
serverless.app.handler
"""

BARE = """
import msgspec, numpy, PIL.Image, python_multipart
import starlette.applications, starlette.concurrency, starlette.requests, starlette.responses, starlette.routing
import mangum
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path={file!r}, num_threads=1)
interpreter.allocate_tensors()
"""

READY = """
import json, sys
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), flush=True)
"""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=15, help="starts of each (default 15)")
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds = 1
    with tempfile.TemporaryDirectory() as name:
        folder, _ = edge_model(made, options, Path(name))
        machine = facts()
        found, libraries = measure(folder / "model.bundle", Path(name), options.rounds)
    result = _result(options, machine, command_line(MODULE, arguments), found, libraries)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def measure(bundle: Path, place: Path, rounds: int) -> tuple[dict[str, list[float]], list[str]]:
    """Seconds of each start of each way, and the libraries that both import.

    Args:
        bundle: With an int8 artifact.
        place: A scratch folder, for the bytecode.
        rounds: Starts of each.

    Raises:
        ValueError: A way ends with an error, or they do not import the same libraries.
    """
    file = next(bundle.glob("*_int8.tflite"))
    codes = {"handler": HANDLER + READY, "bare": BARE.format(file=str(file)) + READY}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        "OPENBLAS_NUM_THREADS": "1",
        "SNAPSHIP_BUNDLE": str(bundle.absolute()),
        "SNAPSHIP_ARTIFACT": KIND,
    }
    found: dict[str, list[float]] = {way: [] for way in codes}
    imported: dict[str, set[str]] = {}
    # The first round writes the bytecode and reads the files into the page cache.
    for turn in range(-1, rounds):
        for way in ("handler", "bare") if turn % 2 else ("bare", "handler"):
            before = time.perf_counter()
            with subprocess.Popen(
                [sys.executable, "-c", codes[way]], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, env=environment,
            ) as child:  # fmt: skip
                assert child.stdout is not None
                line = child.stdout.readline()
                spent = time.perf_counter() - before
                child.stdout.read()
                _, errors = child.communicate()
            if child.returncode or not line:
                raise ValueError(f"Every way must get ready. Received: {way}, {errors[-1000:]}.")
            imported[way] = (
                set(json.loads(line)) - set(sys.stdlib_module_names) - {"serverless", "edge_runtime"}
            )
            if turn >= 0:
                found[way].append(spent)
    ours, bare = ({name for name in imported[way] if not name.startswith("_")} for way in ("handler", "bare"))
    if ours != bare:
        raise ValueError(
            f"The ways must import the same libraries. Received: handler alone {sorted(ours - bare)}, "
            f"bare alone {sorted(bare - ours)}."
        )
    return found, sorted(ours)


def _result(
    options: Any, machine: dict[str, str], command: str, found: dict[str, list[float]], libraries: list[str]
) -> Result:
    ratio = float(np.median(np.array(found["handler"]) / np.array(found["bare"])))
    rows: list[tuple[Cell, ...]] = [
        (way, float(np.median(spent)) * 1e3, min(spent) * 1e3, ratio if way == "handler" else 1.0)
        for way, spent in found.items()
    ]
    return Result(
        name="cloud-init",
        group="cloud-init",
        title="Process start to ready handler",
        method=METHOD.format(rounds=options.rounds, libraries=", ".join(libraries)),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"rounds": options.rounds, "artifact": KIND},
        columns=(
            Column("way"), Column("median ms", "count"), Column("best ms", "count"), Column("ratio", "ratio"),
        ),
        rows=tuple(rows),
        figures=(Figure("ready: handler by bare", ratio, most=MOST),),
    )  # fmt: skip


if __name__ == "__main__":
    main()
