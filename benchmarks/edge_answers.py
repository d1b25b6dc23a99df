"""What an answer takes beyond the interpreter, now and before, and a photo of 12 megapixels by Pillow.

Two cases, each with Pillow's decoder and with the extra `fast`:

* a JPEG of 320x240 to the top five classes of the int8 artifact, less the bare interpreter's invoke;
* a JPEG of 12 megapixels to a model's pixels, against Pillow's own decode and resize.

`--before` names another checkout, with its compiled part, that takes turns with this one.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.edge_model import ROOT, edge_model, edge_parser, facts
from benchmarks.options import add_before
from benchmarks.result import Cell, Column, Figure, Result, as_text, command_line, now, write_result

MODULE = "benchmarks.edge_answers"
WORKER = Path(__file__).with_name("edge_answers_worker.py")
LARGE, LARGE_QUICK = (4000, 3000), (800, 600)
INPUT = (224, 224)
WAYS = ("pillow", "fast")
SMALL = "320x240"
SAMPLINGS = {"4:2:0": 2, "4:4:4": 0}

METHOD = """*Beyond the invoke*: `Classifier.classify` from the bytes of a JPEG of 320x240 to the top five of 1000
classes, less the `invoke` of a bare interpreter that takes turns with it photo by photo, {photos} photos, one
thread. *12 megapixels*: from the bytes of a JPEG of {width}x{height}, made from one of the photos, to the pixels of a
model of 224x224, against Pillow's `Image.open` and `resize`; all pixels must be equal. Each is the fastest of
{rounds} rounds in a process of its own, by the clock and of CPU; medians of {repeats} processes, in which the
decoders{turns} take turns."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=15, help="rounds over the photos (default 15)")
    made.add_argument("--repeats", type=int, default=5, help="processes for each way (default 5)")
    add_before(made)
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds, options.repeats = 2, 1
    checkouts = {"now": ROOT} | ({"before": options.before} if options.before else {})
    with tempfile.TemporaryDirectory() as name:
        folder, photos = edge_model(made, options, Path(name))
        machine = facts()
        size = LARGE_QUICK if options.quick else LARGE
        cases = {SMALL: (str(folder / "model.bundle"), [str(photo.resolve()) for photo in photos])}
        for sampling, number in SAMPLINGS.items():
            large = Path(name) / f"{number}.jpg"
            _enlarged(photos[0], size, number, large)
            cases[sampling] = f"{INPUT[0]}x{INPUT[1]}", [str(large)]
        found: dict[tuple[str, str, str], list[dict[str, dict[str, float]]]] = {}
        for _ in range(options.repeats):
            for case, (bundle, files) in cases.items():
                for way in WAYS:
                    for checkout, root in checkouts.items():
                        if seconds := _worker(root, way, options.rounds, bundle, files):
                            found.setdefault((case, way, checkout), []).append(seconds)
    result = _result(options, machine, command_line(MODULE, arguments), len(photos), size, found)
    print(f"wrote {write_result(result, options.results)}\n{as_text(result)}", file=sys.stderr)
    return result


def _enlarged(photo: Path, size: tuple[int, int], sampling: int, path: Path) -> None:
    """Writes a photo at another size, with the noise of a camera: it costs as much to decode as a real one."""
    with Image.open(photo) as picture:
        values = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    noise = np.random.default_rng(0).normal(0, 3, values.shape).astype(np.float32)
    noisy = Image.fromarray(np.clip(values + noise, 0, 255).astype(np.uint8))
    noisy.save(path, quality=90, subsampling=sampling)


def _worker(root: Path, way: str, rounds: int, bundle: str, files: list[str]) -> dict[str, dict[str, float]]:
    """Means over the photos in milliseconds by way; empty where the extra is missing."""
    words = [sys.executable, str(WORKER), way, str(rounds), bundle, *files]
    place = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(words, cwd=root, env=place, check=True, stdout=subprocess.PIPE)
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    return {
        name: {clock: statistics.fmean(seconds) * 1e3 for clock, seconds in clocks.items()}
        for name, clocks in found.items()
    }


def _result(
    options: Any,
    machine: dict[str, str],
    command: str,
    photos: int,
    size: tuple[int, int],
    found: dict[tuple[str, str, str], list[dict[str, dict[str, float]]]],
) -> Result:
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    taken: dict[tuple[str, str], float] = {}
    for (case, way, checkout), runs in found.items():
        basis, ours = runs[0]
        for clock in runs[0][ours]:
            base, own = (statistics.median(run[name][clock] for run in runs) for name in (basis, ours))
            counted = own - base if case == SMALL else own
            name = f"{case}, {way}, {'beyond the invoke, ' if case == SMALL else ''}{clock}"
            taken[name, checkout] = counted
            rows.append((case, way, checkout, clock, base, own, counted, own / base))
            if case != SMALL and checkout == "now":
                figures.append(Figure(f"12 megapixels, {name}: by Pillow's decode and resize", own / base))
    for (name, checkout), value in taken.items():
        if checkout == "before":
            figures.append(Figure(f"{name}: now by before", taken[name, "now"] / value))
    return Result(
        name="edge-answers",
        group="edge-answers",
        title="From a photo to an answer",
        method=METHOD.format(
            photos=photos, rounds=options.rounds, repeats=options.repeats, width=size[0], height=size[1],
            turns=" and the checkouts" if options.before else "",
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"photos": photos, "rounds": options.rounds, "repeats": options.repeats},
        columns=(
            Column("JPEG"), Column("decoder"), Column("checkout"), Column("clock"),
            Column("invoke or Pillow, ms", "ratio"), Column("snapship, ms", "ratio"),
            Column("beyond the invoke, or all, ms", "ratio"), Column("ratio", "ratio"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()
