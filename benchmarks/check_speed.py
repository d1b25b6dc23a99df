"""How much longer a check takes than the inferences that it cannot do without, and than a version before.

`check` of a MobileNetV2 bundle without a page, in a process of its own, against a loop by hand over the same
photos: each artifact's bare interpreter, one per core, and the full model's own function in batches of 8.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.export_speed import ARTIFACTS, head_alone, regrouped
from benchmarks.machine import machine
from benchmarks.options import ENVIRONMENT, add_before, parser, rounds_in_words
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import tiny_photos
from edge_runtime import Bundle
from edge_runtime.common.cores import cores
from edge_runtime.dataset import open_dataset
from edge_runtime.engines.litert import new_interpreter
from edge_runtime.engines.onnx import new_session
from exporter import ExportConfig, export
from exporter.common.backend import load_keras
from exporter.source.full_model import find_source, load_source
from exporter.source.images import decode_table

MODULE = "benchmarks.check_speed"
BATCH = 8
MOST_OF_BARE = 1.15

METHOD = """`run_check` of a bundle with {artifacts} on {images} photos, without a page and diagnostics, one
thread per inference, in a process that has imported TensorFlow and Keras. It opens and hashes all files, loads the full
model, decodes the photos, scores, judges and replays the golden examples. *bare invokes*: the same photos, decoded
before, through each artifact's interpreter, opened before, one per core in threads of one process; and through the full
model's own function in batches of {batch}, traced before. {before}*CPU s*: user and system time of the process in
that part. {rounds}, in turns."""

CHECK = """
import json, os, sys, time
from exporter.checking import run_check
from exporter.common.backend import load_keras
from exporter import CheckConfig
load_keras()
wall, cpu = time.perf_counter(), time.process_time()
found = run_check(CheckConfig(**json.loads(sys.argv[1])), diagnostics=False)
taken = [time.perf_counter() - wall, time.process_time() - cpu]
one = found.report
verdicts = {name: [part.verdict, part.top1, part.lost, part.won] for name, part in one.artifacts.items()}
print(json.dumps([taken, [one.n, one.reference.top1, verdicts]]))
"""
"""Runs in a checkout's root, of this version or one before."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=3)
    made.add_argument("--data", type=Path, help="photos with train and val, such as data/flowers")
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file without its head")
    made.add_argument("--bundle", type=Path, help="a bundle on hand, checked on --data, instead of --weights")
    made.add_argument("--images", type=int, default=1000, help="images that judge (default 1000)")
    made.add_argument("--size", type=int, default=224, help="side in pixels (default 224)")
    add_before(made)
    options = made.parse_args(arguments)
    if not options.quick and (options.data is None or (options.weights is None) == (options.bundle is None)):
        made.error("--data, and --weights or --bundle, are needed, but for --quick")
    keras = load_keras()
    facts = machine(keras)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.quick:
            options.data, options.weights = tiny_photos(folder / "tiny"), None
            options.size, options.images, options.repeats = 32, 30, 1
        photos = regrouped(options.data, folder / "photos", options.images)
        bundle = options.bundle or _bundle(options, photos, folder)
        times, invokes = _rounds(options, bundle, photos)
    result = _result(options, facts, command_line(MODULE, arguments), times, invokes)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _bundle(options: Any, photos: Path, folder: Path) -> Path:
    run = head_alone(options, folder, 1 if options.quick else 3)
    return Path(
        export(
            ExportConfig(
                source=run, out=folder / "made.bundle", data=photos, artifacts=ARTIFACTS, evidence="quick",
                weak_reference="allow" if options.quick else "error",
            )
        ).location
    )  # fmt: skip


def _rounds(
    options: Any, bundle: Path, photos: Path
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, float]]:
    """Wall and CPU seconds of each way in each round; and the bare seconds of each model, medians."""
    config = {"bundle": str(bundle.absolute()), "data": str(photos), "inconclusive": "pass"}
    if options.quick:
        config["weak_reference"] = "allow"
    checkouts = {"check": Path(__file__).resolve().parents[1]}
    if options.before is not None:
        checkouts["check before"] = options.before
    models = _by_hand(bundle, photos)
    times: dict[str, list[tuple[float, float]]] = {"bare invokes": [], **{way: [] for way in checkouts}}
    invokes: dict[str, list[float]] = {model: [] for model in models}
    found: list[Any] = []
    for _ in range(options.repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        for model, run in models.items():
            start = time.perf_counter()
            run()
            invokes[model].append(time.perf_counter() - start)
        times["bare invokes"].append((time.perf_counter() - wall, time.process_time() - cpu))
        for way, checkout in checkouts.items():
            taken, verdicts = _checked(checkout, config)
            times[way].append((taken[0], taken[1]))
            found.append(verdicts)
            if verdicts != found[0]:
                raise ValueError(f"Verdicts must be the same. Received: {verdicts} and {found[0]}.")
    return times, {model: statistics.median(seconds) for model, seconds in invokes.items()}


def _checked(checkout: Path, config: dict[str, str]) -> tuple[list[float], Any]:
    """Seconds of a check by the code of a checkout, and what it found."""
    own = checkout / ".venv" / "bin" / "python"
    done = subprocess.run(
        [str(own) if own.exists() else sys.executable, "-c", CHECK, json.dumps(config)],
        cwd=checkout, env={**ENVIRONMENT, "PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    taken, verdicts = json.loads(done.stdout.splitlines()[-1])
    return taken, verdicts


def _by_hand(bundle: Path, photos: Path) -> dict[str, Callable[[], None]]:
    """What scores all photos with the full model and with each artifact, warm."""
    import tensorflow

    opened = Bundle.open(bundle)
    recorded = json.loads(opened.read("check.json"))["reference"]["file"]
    file = Path(os.path.normpath(Path(os.path.realpath(bundle)) / recorded))
    full = load_source(find_source(file.parent if (file.parent / "run.json").exists() else file))
    pixels = decode_table(open_dataset(photos).only("val"), opened.manifest.input).pixels
    signature = tensorflow.TensorSpec((None, *full.input.shape), tensorflow.float32)
    call = tensorflow.function(full.call, input_signature=[signature], autograph=False)

    def reference() -> None:
        for start in range(0, len(pixels), BATCH):
            call(tensorflow.constant(pixels[start : start + BATCH].astype(np.float32))).numpy()

    call(tensorflow.zeros((1, *full.input.shape)))
    ways: dict[str, Callable[[], None]] = {"full model": reference}
    for entry in opened.manifest.artifacts:
        load = {"tflite": _litert, "onnx": _onnx}[entry.format]
        ways[entry.kind] = _on_all_cores([load(opened.model(entry)) for _ in range(cores())], pixels)
    return ways


def _on_all_cores(invokes: list[Callable[[Any], None]], pixels: Any) -> Callable[[], None]:
    def part(place: int) -> None:
        for image in pixels[place :: len(invokes)]:
            invokes[place](image)

    def run() -> None:
        with ThreadPoolExecutor(len(invokes)) as pool:
            list(pool.map(part, range(len(invokes))))

    return run


def _litert(model: Any) -> Callable[[Any], None]:
    interpreter = new_interpreter(model, 1)
    interpreter.allocate_tensors()
    taken = interpreter.tensor(interpreter.get_input_details()[0]["index"])

    def invoke(image: Any) -> None:
        taken()[0] = image
        interpreter.invoke()

    return invoke


def _onnx(model: Any) -> Callable[[Any], None]:
    session = new_session(model, 1)
    taken = session.get_inputs()[0]
    dtype = np.uint8 if taken.type == "tensor(uint8)" else np.float32

    def invoke(image: Any) -> None:
        session.run(None, {taken.name: image[np.newaxis].astype(dtype)})

    return invoke


def _result(
    options: Any,
    facts: dict[str, str],
    command: str,
    times: dict[str, list[tuple[float, float]]],
    invokes: dict[str, float],
) -> Result:
    walls = {way: [wall for wall, _ in rounds] for way, rounds in times.items()}
    rows: list[tuple[Cell, ...]] = []
    for way, rounds in times.items():
        cpu = statistics.median(one for _, one in rounds)
        rows.append((way, statistics.median(walls[way]), cpu, _ratio(walls[way], walls["bare invokes"])))
    bare = statistics.median(walls["bare invokes"])
    rows += [(f"of these, {model}", seconds, None, seconds / bare) for model, seconds in invokes.items()]
    figures = [
        Figure("check, in bare invokes", _ratio(walls["check"], walls["bare invokes"]), most=MOST_OF_BARE)
    ]
    if options.before is not None:
        figures.append(Figure("check, of the version before", _ratio(walls["check"], walls["check before"])))
    before = "*check before*: the same by the code of another checkout. " if options.before else ""
    return Result(
        name="check-speed",
        group="check-speed",
        title="Seconds of a check",
        method=METHOD.format(
            artifacts="four artifacts" if options.bundle else ", ".join(ARTIFACTS), images=options.images,
            batch=BATCH, before=before, rounds=rounds_in_words(options.repeats).capitalize(),
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={"size": options.size, "images": options.images, "seed": options.seed},
        columns=(Column("way"), Column("s", "seconds"), Column("CPU s", "seconds"), Column("bare = 1", "ratio")),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


def _ratio(ones: list[float], others: list[float]) -> float:
    """Median of the ratios of the rounds."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


if __name__ == "__main__":
    main()
