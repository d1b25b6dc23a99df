"""How long an export takes, and where the time goes: MobileNetV2 to four artifacts with a check.

`exporter.export` as users call it: fp32 and int8 for TFLite and ONNX, compared with the full model on 500
images. With --before, another checkout exports the same run, in turns. The seconds of a stage are those until
the next one reports.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.options import (
    BEFORE,
    ENVIRONMENT,
    HERE,
    add_before,
    check_photos,
    checkouts,
    parser,
    rounds_in_words,
)  # fmt: skip
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import tiny_photos
from exporter.common.backend import load_keras
from trainer import TrainConfig, train

MODULE = "benchmarks.export_speed"

SMALL = "small_cnn"
"""What the quick form exports: of MobileNetV2 the conversions alone take ten seconds, whatever its width."""

ARTIFACTS = ("tflite-fp32", "tflite-int8", "onnx-fp32", "onnx-int8")

METHOD = """`exporter.export` with {artifacts}, from the saved run to the finished bundle with its report, checked on
{images} images; 200 more calibrate. The model is MobileNetV2 at {size} with a head of {classes} classes trained for
{epochs} epochs. Each export is a fresh process{turns}; training and the import of TensorFlow are not counted; a
repair, if the check requires one, is. Seconds of {rounds}."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=3)
    made.add_argument("--data", type=Path, help="photos with train and val, such as data/flowers")
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file without its head")
    add_before(made)
    made.add_argument("--run", type=Path, help="a finished run; otherwise one is trained")
    made.add_argument("--size", type=int, default=224, help="side in pixels (default 224)")
    made.add_argument("--images", type=int, default=500, help="images that judge (default 500)")
    made.add_argument("--epochs", type=int, default=5, help="epochs of the head before (default 5)")
    options = made.parse_args(arguments)
    check_photos(made, options)
    keras = load_keras()
    facts = machine(keras)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.quick:
            options.data, options.weights = tiny_photos(folder / "tiny"), None
            options.size, options.images, options.epochs, options.repeats = 32, 45, 1, 1
        run = options.run
        if run is None:
            run = head_alone(options, folder, options.epochs)
        photos = regrouped(options.data, folder / "photos", options.images)
        places = checkouts(options.before)
        rounds: dict[str, list[dict[str, Any]]] = {way: [] for way in places}
        for _ in range(options.repeats):
            for way, place in places.items():
                rounds[way].append(_export(place, run, photos, folder / "x.bundle", options.quick))
        classes = len(json.loads((run / "run.json").read_text("utf-8"))["labels"])
    result = _result(options, facts, command_line(MODULE, arguments), classes, rounds)
    shown = "; ".join(f"{figure.name}: {figure.value:.2f}" for figure in result.figures)
    print(f"wrote {write_result(result, options.results)}: {shown}", file=sys.stderr)
    return result


def head_alone(options: Any, folder: Path, epochs: int) -> Path:
    """Trains a head on MobileNetV2, or in the quick form, which takes no weights, a small network.

    Args:
        options: Of the command line.
        folder: Where the run and its caches go.
        epochs: Of the head.

    Returns:
        The run.
    """
    model = SMALL if options.quick else "mobilenet_v2"
    return train(
        TrainConfig(
            data=options.data, out=folder / "run", model=model, size=options.size, weights=options.weights,
            epochs=epochs, fine_tune_epochs=0, views=1, seed=options.seed, cache_dir=folder / "cache",
        )
    ).path  # fmt: skip


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


def _export(checkout: Path, run: Path, photos: Path, out: Path, quick: bool) -> dict[str, Any]:
    """What :mod:`benchmarks.export_worker` prints; the model of the quick form has learned nothing."""
    config = {
        "source": str(run), "out": str(out), "data": str(photos), "artifacts": ARTIFACTS, "overwrite": True,
        "weak_reference": "allow" if quick else "error",
    }  # fmt: skip
    worker = Path(__file__).resolve().parent / "export_worker.py"
    done = subprocess.run(
        [sys.executable, "-P", str(worker), json.dumps(config)],
        env={**ENVIRONMENT, "PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _result(
    options: Any, facts: dict[str, str], command: str, classes: int, rounds: dict[str, list[dict[str, Any]]]
) -> Result:
    seconds = {way: _medians([one["stages"] for one in found]) for way, found in rounds.items()}
    totals = {
        way: statistics.median(sum(one["stages"].values()) for one in found) for way, found in rounds.items()
    }
    processor = {way: statistics.median(one["processor"] for one in found) for way, found in rounds.items()}
    rows: list[tuple[Cell, ...]] = [
        (stage, *(seconds[way].get(stage) for way in rounds), seconds[HERE].get(stage, 0.0) / totals[HERE])
        for stage in dict.fromkeys(stage for found in seconds.values() for stage in found)
    ]
    rows.append(("all", *totals.values(), 1.0))
    rows.append(("processor time, all", *processor.values(), None))
    figures = [Figure("seconds of an export, all stages", totals[HERE])]
    if BEFORE in rounds:
        old, new = rounds[BEFORE][0], rounds[HERE][0]
        same = [kind for kind, hash in new["sha256"].items() if hash == old["sha256"].get(kind)]
        figures += [
            Figure("seconds of an export, by those of the commit before", totals[HERE] / totals[BEFORE]),
            Figure(f"artifacts of {len(ARTIFACTS)} that are the same files as before", float(len(same))),
            Figure(
                f"artifacts of {len(ARTIFACTS)} with the same verdict as before",
                float(sum(old["verdicts"].get(kind) == said for kind, said in new["verdicts"].items())),
            ),
        ]
    return Result(
        name="export-speed",
        group="export-speed",
        title="Seconds of an export",
        method=METHOD.format(
            artifacts=", ".join(ARTIFACTS), images=options.images, size=options.size, classes=classes,
            epochs=options.epochs, rounds=rounds_in_words(options.repeats),
            turns=", both commits in turns" if BEFORE in rounds else "",
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={
            "size": options.size, "images": options.images, "epochs": options.epochs, "seed": options.seed,
            "repeats": options.repeats,
        },
        columns=(Column("stage"), *(Column(f"s, {way}", "seconds") for way in rounds), Column("share", "percent")),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Seconds by stage."""
    stages = dict.fromkeys(stage for found in rounds for stage in found)
    return {stage: statistics.median(found.get(stage, 0.0) for found in rounds) for stage in stages}


if __name__ == "__main__":
    main()
