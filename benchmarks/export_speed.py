"""How long an export takes, and where the time goes: MobileNetV2 to four artifacts with a check.

`exporter.export` as users call it: fp32 and int8 for TFLite and ONNX, compared with the full model on 500
images. The seconds of a stage are those until the next one reports.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.options import check_photos, parser, rounds_in_words
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_photos, tiny_weights
from exporter import ExportConfig, export
from exporter.common.backend import load_keras
from trainer import TrainConfig, train

MODULE = "benchmarks.export_speed"

ARTIFACTS = ("tflite-fp32", "tflite-int8", "onnx-fp32", "onnx-int8")
MOST_SECONDS = 90.0
"""Upper limit on 2 cores."""

METHOD = """`exporter.export` with {artifacts}, from the saved run to the finished bundle with its report, checked on
{images} images; 200 more calibrate. The model is MobileNetV2 at {size} with a head of {classes} classes trained for
{epochs} epochs. Training and the import of TensorFlow are not counted; a repair, if the check requires one, is.
Seconds of {rounds}."""


class StageClock:
    """Adds up the seconds of each stage that an export reports."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "finding the source", time.perf_counter()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Called by the export.

        Args:
            step: What it is doing.
            done: How much is done.
            total: How much there is.
        """
        if step != self._stage:
            self.stop()
            self._stage = step

    def stop(self) -> None:
        """Books the time since the stage began."""
        now = time.perf_counter()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._since = now


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=1)
    made.add_argument("--data", type=Path, help="photos with train and val, such as data/flowers")
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file without its head")
    made.add_argument("--size", type=int, default=224, help="side in pixels (default 224)")
    made.add_argument("--images", type=int, default=500, help="images that judge (default 500)")
    made.add_argument("--epochs", type=int, default=5, help="epochs of the head before (default 5)")
    options = made.parse_args(arguments)
    check_photos(made, options)
    keras = load_keras()
    facts = machine(keras)
    with tempfile.TemporaryDirectory() as name:
        folder, width = Path(name), 1.0
        if options.quick:
            options.data, options.weights, width = (
                tiny_photos(folder / "tiny"),
                tiny_weights(keras, folder),
                TINY_WIDTH,
            )
            options.size, options.images, options.epochs = 32, 45, 1
        run = train(
            TrainConfig(
                data=options.data, out=folder / "run", model="mobilenet_v2", size=options.size, width=width,
                weights=options.weights, epochs=options.epochs, fine_tune_epochs=0, views=1, seed=options.seed,
                cache_dir=folder / "cache",
            )
        )  # fmt: skip
        photos = regrouped(options.data, folder / "photos", options.images)
        rounds = [
            _export(run.path, photos, folder / f"round{index}.bundle", options.quick)
            for index in range(options.repeats)
        ]
    result = _result(options, facts, command_line(MODULE, arguments), len(run.record.labels), rounds)
    print(f"wrote {write_result(result, options.results)}: {result.figures[0].value:.1f} s", file=sys.stderr)
    return result


def regrouped(data: Path, place: Path, judging: int) -> Path:
    """Copies photos so that a given number of them are val.

    Args:
        data: Class folders under ``train`` and ``val``.
        place: Where to; made.
        judging: How many are to be val: all that are, and then of the others as many of each class.

    Returns:
        The folder.

    Raises:
        ValueError: There are not that many.
    """
    found = {
        split: sorted(path for path in (data / split).glob("*/*") if path.is_file())
        for split in ("val", "train")
    }
    # In turns over the classes, so that each keeps photos on both sides.
    turns = sorted(found["train"], key=lambda path: (_turn(path, found["train"]), path.parent.name))
    chosen = [*found["val"], *turns][:judging]
    if len(chosen) < judging:
        raise ValueError(f"The check needs {judging} photos. Received: {len(chosen)} in {data}.")
    picked = set(chosen)
    for path in (*found["val"], *found["train"]):
        split = "val" if path in picked else "train"
        copy = place / split / path.parent.name / f"{path.parent.parent.name}-{path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return place


def _turn(path: Path, photos: list[Path]) -> int:
    """How many photos of its class come before it."""
    return [other for other in photos if other.parent == path.parent].index(path)


def _export(run: Path, photos: Path, out: Path, quick: bool) -> dict[str, float]:
    """Seconds of each stage of one export; the model of the quick form has learned nothing."""
    clock = StageClock()
    config = ExportConfig(
        source=run, out=out, data=photos, artifacts=ARTIFACTS, weak_reference="allow" if quick else "error"
    )
    export(config, progress=clock)
    clock.stop()
    return clock.seconds


def _result(
    options: Any, facts: dict[str, str], command: str, classes: int, rounds: list[dict[str, float]]
) -> Result:
    totals = [sum(seconds.values()) for seconds in rounds]
    total = statistics.median(totals)
    stages = {stage: None for seconds in rounds for stage in seconds}
    rows: list[tuple[Cell, ...]] = []
    for stage in stages:
        seconds = statistics.median(found.get(stage, 0.0) for found in rounds)
        rows.append((stage, seconds, seconds / total))
    rows.append(("all", total, 1.0))
    return Result(
        name="export-speed",
        group="export-speed",
        title="Seconds of an export",
        method=METHOD.format(
            artifacts=", ".join(ARTIFACTS), images=options.images, size=options.size, classes=classes,
            epochs=options.epochs, rounds=rounds_in_words(options.repeats),
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={"size": options.size, "images": options.images, "epochs": options.epochs, "seed": options.seed},
        columns=(Column("stage"), Column("s", "seconds"), Column("share", "percent")),
        rows=tuple(rows),
        figures=(Figure("seconds of an export, all stages", total, most=MOST_SECONDS),),
    )  # fmt: skip


if __name__ == "__main__":
    main()
