"""Overhead of the runtime over the interpreter: from an array or a JPEG to the five best classes.

Alternating on the same photos: the bare interpreter's invoke, then complete answers of `Classifier.classify`
from an array of the model's size and from JPEG bytes: as the base install decodes and resizes them, with the
extra `fast`, and without the compiled part.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edge_model import edge_model, edge_parser, facts
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime import Bundle, Classifier
from edge_runtime.image import fast_jpeg, resize

MODULE = "benchmarks.edge_latency"

MOST = {"array": 1.03, "JPEG, Pillow": 1.55, "JPEG, fast": 1.25}
"""Most that each may take, in invokes of the int8 artifact."""

METHOD = """*invoke*: LiteRT's interpreter alone, with its input already written. *array*, *JPEG*:
`Classifier.classify`, top five of 1000 classes, from uint8 pixels of the model's size and from the bytes of {photos}
photos of 320x240. *Pillow* decodes, and the compiled part resizes except in *alone*; *fast* decodes with simplejpeg.
The ways alternate photo by photo on one thread, {rounds} rounds with each of {loads} pairs of interpreter and
classifier, because the location of their memory changes the time by some percent. *Best*: the fastest round per
photo, averaged, which other work on the machine affects least; *ratio* is relative to invoke. All pixels must be
equal."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=8, help="rounds over the photos (default 8)")
    made.add_argument("--loads", type=int, default=6, help="times that the model is loaded anew (default 6)")
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds, options.loads = 2, 1
    with tempfile.TemporaryDirectory() as name:
        folder, photos = edge_model(made, options, Path(name))
        machine = facts()
        bundle = Bundle.open(folder / "model.bundle")
        found = {kind: _loaded_anew(bundle, kind, photos, options) for kind in ("tflite-int8", "tflite-fp32")}
    result = _result(options, machine, command_line(MODULE, arguments), len(photos), found)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _loaded_anew(bundle: Bundle, kind: str, photos: list[Path], options: Any) -> dict[str, np.ndarray]:
    """Seconds by way, float64 ``[loads * rounds, photos]``."""
    loads = [_measure(bundle, kind, photos, options.rounds) for _ in range(options.loads)]
    return {way: np.concatenate([seconds[way] for seconds in loads]) for way in loads[0]}


def _measure(bundle: Bundle, kind: str, photos: list[Path], rounds: int) -> dict[str, np.ndarray]:
    """Seconds by way, float64 ``[rounds, photos]``."""
    from ai_edge_litert.interpreter import Interpreter

    data = [photo.read_bytes() for photo in photos]
    with Classifier(bundle, bundle.artifact(kind)) as classifier:
        arrays = [classifier.pixels(each) for each in data]
        interpreter = Interpreter(model_path=str(bundle.model(bundle.artifact(kind))), num_threads=1)
        interpreter.allocate_tensors()
        taken = interpreter.get_input_details()[0]
        interpreter.set_tensor(taken["index"], arrays[0][np.newaxis].astype(taken["dtype"]))
        ways: dict[str, Callable[[int], Any]] = {
            "invoke": lambda index: interpreter.invoke(),
            "array": lambda index: classifier.classify(arrays[index]),
            "JPEG, Pillow": lambda index: classifier.classify(data[index]),
        }
        speed_ups = {"JPEG, Pillow alone": (_no, _no), "JPEG, Pillow": (_no, resize.usable)}
        ways["JPEG, Pillow alone"] = ways["JPEG, Pillow"]
        if fast_jpeg.usable():
            speed_ups["JPEG, fast"] = (fast_jpeg.usable, resize.usable)
            ways["JPEG, fast"] = ways["JPEG, Pillow"]
        _same_pixels(classifier, data, list(speed_ups.values()))
        seconds = {way: np.zeros((rounds, len(photos))) for way in ways}
        for turn in range(-1, rounds):
            for index in range(len(photos)):
                for way, answer in ways.items():
                    with _using(*speed_ups.get(way, (_no, _no))):
                        before = time.perf_counter()
                        answer(index)
                        spent = time.perf_counter() - before
                    # The first round warms up.
                    if turn >= 0:
                        seconds[way][turn, index] = spent
        return seconds


def _no() -> bool:
    return False


class _using:  # noqa: N801 - a context manager, read as a verb
    """Lets the runtime decode with simplejpeg and resize with the compiled part, or not."""

    def __init__(self, fast: Callable[[], bool], compiled: Callable[[], bool]) -> None:
        self._usable = fast, compiled

    def __enter__(self) -> None:
        self._before = fast_jpeg.usable, resize.usable
        fast_jpeg.usable, resize.usable = self._usable  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        fast_jpeg.usable, resize.usable = self._before


def _same_pixels(
    classifier: Classifier, data: list[bytes], speed_ups: list[tuple[Callable[[], bool], Callable[[], bool]]]
) -> None:
    for each in data:
        found = []
        for pair in speed_ups:
            with _using(*pair):
                found.append(classifier.pixels(each).tobytes())
        if len(set(found)) > 1:
            raise ValueError("Every speed-up must give Pillow's pixels. Received: a photo that differs.")


def _result(
    options: Any, machine: dict[str, str], command: str, photos: int, found: dict[str, dict[str, np.ndarray]]
) -> Result:
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for kind, seconds in found.items():
        best = {way: float(times.min(axis=0).mean()) for way, times in seconds.items()}
        for way, times in seconds.items():
            ratio = best[way] / best["invoke"]
            p50, p90 = (float(value) * 1e3 for value in np.percentile(times, (50, 90)))
            rows.append((kind, way, best[way] * 1e3, p50, p90, 1.0 / float(np.median(times)), ratio))
            if way in MOST:
                asked = MOST[way] if kind == "tflite-int8" or way == "array" else None
                figures.append(Figure(f"{kind}, {way} in, top 5 out: by invoke", ratio, most=asked))
    return Result(
        name="edge-latency",
        group="edge-latency",
        title="Overhead over the interpreter",
        method=METHOD.format(photos=photos, rounds=options.rounds, loads=options.loads),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"photos": photos, "rounds": options.rounds, "loads": options.loads},
        columns=(
            Column("artifact"), Column("way"), Column("best ms", "ratio"), Column("p50 ms", "ratio"),
            Column("p90 ms", "ratio"), Column("img/s", "rate"), Column("ratio", "ratio"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()
