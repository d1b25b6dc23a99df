"""Time to accuracy of networks with batch normalisation, trained from random weights.

*moving averages* trains as the project did until it measured the statistics before every validation; *measured*
is `snapship train` today, for half the epochs. Every training is a process of its own and the two alternate.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from benchmarks.machine import machine
from benchmarks.options import ENVIRONMENT, parser, rounds_in_words
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime.engines.cpu import cpu
from trainer import TrainConfig, train
from trainer.core.backend import load_keras
from trainer.progress import Event

MODULE = "benchmarks.batch_norm"
MODELS = ("bn_cnn", "resnet18")
SIDES = {"digits": 28, "cifar10-subset": 32}
TARGETS = {"digits": 0.95, "cifar10-subset": 0.5}
"""Val accuracy to reach, 0..1."""

QUICK_SIDE = 12
WAYS = ("moving averages", "measured")

METHOD = """*moving averages*: val images are judged by Keras' moving averages at a momentum of 0.99, with
TensorFlow's own choice of kernels, in float32, for {epochs} epochs. *measured*: `snapship train`, which measures the
statistics before every validation, with `--precision {precision}`, for {half} epochs. *s to accuracy*: median of the
seconds from the start of the training to the first epoch whose val accuracy is at least {target:.0%}; a dash where one
round never reaches it.{ends} {rounds}."""


@dataclass(frozen=True)
class Epoch:
    """One epoch of a training.

    Attributes:
        accuracy: Val accuracy, 0..1.
        seconds: Since the start of the training.
    """

    accuracy: float
    seconds: float


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Measures and writes a result of each data set and model.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=3)
    made.add_argument("--data", type=Path, help="folder that holds cifar10-subset.zip")
    made.add_argument("--only", default="digits", help=f"some of {', '.join(SIDES)}, separated by commas")
    made.add_argument("--models", default=",".join(MODELS), help=f"some of {', '.join(MODELS)}")
    made.add_argument("--epochs", type=int, default=6, help="epochs with moving averages (default 6)")
    made.add_argument("--end-when-reached", action="store_true", help="end each training at the accuracy")
    made.add_argument("--precision", default="float32", help="of measured, as of train (default float32)")
    options = made.parse_args(arguments)
    names, models = options.only.split(","), options.models.split(",")
    if unknown := [name for name in names if name not in SIDES]:
        made.error(f"--only must be some of {', '.join(SIDES)}. Received: {unknown[0]}.")
    if unknown := [name for name in models if name not in MODELS]:
        made.error(f"--models must be some of {', '.join(MODELS)}. Received: {unknown[0]}.")
    if options.data is None and set(names) != {"digits"}:
        made.error("--data is needed for this task")
    if options.quick:
        models, options.epochs, options.repeats = ["bn_cnn"], 2, 1
    results = []
    for name in names:
        for model in models:
            result = _measured(name, model, options, command_line(MODULE, arguments))
            print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
            results.append(result)
    return results


class _ReachedError(Exception):
    """Ends a training that has reached the accuracy."""


def train_alone(way: str, options: dict[str, Any], end_at: float | None) -> None:
    """Trains in this process in one way, and writes its epochs to stdout as JSON.

    Args:
        way: One of :data:`WAYS`.
        options: Of ``TrainConfig``.
        end_at: Val accuracy, 0..1, after which to end; None to train all epochs.
    """
    epochs: list[Epoch] = []
    began = time.monotonic()

    def keep(event: Event) -> None:
        if "val_accuracy" in event.metrics:
            epochs.append(Epoch(event.metrics["val_accuracy"], time.monotonic() - began))
            if end_at is not None and epochs[-1].accuracy >= end_at:
                raise _ReachedError

    behind = patch("trainer.fit.batch_norm.BatchStatistics.update", lambda _: None)
    with behind if way == WAYS[0] else nullcontext(), suppress(_ReachedError):
        train(TrainConfig(**options), keep)
    print(msgspec.json.encode(epochs).decode())


def _measured(name: str, model: str, options: Any, command: str) -> Result:
    facts = machine(load_keras())
    data = name if options.data is None or name == "digits" else str(options.data / f"{name}.zip")
    found: dict[str, list[list[Epoch]]] = {way: [] for way in WAYS}
    for index in range(options.repeats):
        for way in WAYS[:: -1 if index % 2 else 1]:
            chosen = {
                "data": data, "model": model, "size": QUICK_SIDE if options.quick else SIDES[name],
                "epochs": options.epochs if way == WAYS[0] else _half(options.epochs),
                "seed": options.seed + index, "precision": "float32" if way == WAYS[0] else options.precision,
            }  # fmt: skip
            found[way].append(_process(way, chosen, TARGETS[name] if options.end_when_reached else None))
            print(f"{name} {model} round {index + 1} {way}: {found[way][-1]}", file=sys.stderr)
    return _result(name, model, found, options, facts, command)


def _result(
    name: str,
    model: str,
    found: dict[str, list[list[Epoch]]],
    options: Any,
    facts: dict[str, str],
    command: str,
) -> Result:
    """The table of all trainings, by way."""
    times = {way: [_reached(epochs, TARGETS[name]) for epochs in found[way]] for way in WAYS}
    rows: list[tuple[Cell, ...]] = [
        (
            f"{model} on {name}", way, len(found[way][0]),
            statistics.fmean(epochs[0].accuracy for epochs in found[way]),
            statistics.fmean(max(epoch.accuracy for epoch in epochs) for epochs in found[way]),
            _median(times[way]),
        )
        for way in WAYS
    ]  # fmt: skip
    first = statistics.fmean(epochs[0].accuracy for epochs in found[WAYS[1]])
    figures = [Figure(f"{model} on {name}: val top-1 after an epoch, measured", first)]
    before, after = (_median(times[way]) for way in WAYS)
    if before and after:
        figures.append(
            Figure(f"{model} on {name}: seconds to accuracy, measured / moving averages", after / before)
        )
    return Result(
        name=f"batch-norm-{name}-{model}",
        group="batch-norm",
        title="Batch normalisation from random weights",
        method=METHOD.format(
            epochs=options.epochs, half=_half(options.epochs), target=TARGETS[name],
            precision=options.precision, ends=" Each training ends there." if options.end_when_reached else "",
            rounds=rounds_in_words(options.repeats),
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={"epochs": options.epochs, "seed": options.seed, "precision": options.precision},
        columns=(
            Column("task"), Column("way"), Column("epochs", "count"), Column("val top-1, first epoch", "percent"),
            Column("val top-1, best", "percent"), Column("s to accuracy", "seconds"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


def _process(way: str, chosen: dict[str, Any], end_at: float | None) -> list[Epoch]:
    """Trains in a new process."""
    environment = dict(ENVIRONMENT)
    if way == WAYS[0]:
        # TensorFlow's own choice: oneDNN where the CPU multiplies bytes.
        own = {"avx512_vnni", "avx_vnni", "amx_int8"} & set(cpu().flags)
        environment.setdefault("TF_ENABLE_ONEDNN_OPTS", "1" if own else "0")
    with tempfile.TemporaryDirectory() as folder:
        options = {
            **chosen, "out": f"{folder}/run", "patience": chosen["epochs"], "cache_dir": f"{folder}/cache",
        }  # fmt: skip
        task = msgspec.json.encode((way, options, end_at)).decode()
        words = [sys.executable, "-m", MODULE, "--alone", task]
        done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[Epoch])


def _half(epochs: int) -> int:
    return max(1, epochs // 2)


def _reached(epochs: list[Epoch], target: float) -> float | None:
    return next((epoch.seconds for epoch in epochs if epoch.accuracy >= target), None)


def _median(values: list[float | None]) -> float | None:
    """The median; None where one is missing."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if len(known) == len(values) else None


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        train_alone(*msgspec.json.decode(sys.argv[2]))
    else:
        main()
