"""Accuracy and seconds to a saved run of `snapship train`, compared with plain Keras.

Each task is trained in both ways, alternating: the command with the settings below, and what a tutorial
does (`benchmarks.plain_keras`) for its own epochs. Every training is a process of its own and every round
has its own seed. Each task writes its own JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.machine import machine
from benchmarks.options import ENVIRONMENT, parser
from benchmarks.plain_keras import Outcome, Plain, PlainTask, train_in_process
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_photos, tiny_weights
from edge_runtime.dataset import open_dataset
from trainer import TrainConfig
from trainer.core.backend import load_keras
from trainer.core.cache import Pixels, cached_pixels

MODULE = "benchmarks.accuracy"


@dataclass(frozen=True)
class Task:
    """One line of the comparison.

    Attributes:
        data: Below ``--data``, or the name of an embedded set.
        train: Options of ``TrainConfig``.
        plain: The tutorial's way, for its own epochs; None to leave it out.
        least: Lower limit of val accuracy, None for no limit.
    """

    data: str
    train: dict[str, Any]
    plain: Plain | None
    least: float | None = None

    @property
    def pretrained(self) -> bool:
        """Whether it starts from given weights."""
        return "fine_tune_epochs" in self.train


_PHOTO = ("flip", "rotation")
# Head and fine-tuning as in TensorFlow's transfer learning tutorial: ten epochs each, the base from its layer 100 on.
_TAIL = {
    "model": "mobilenet_v2", "epochs": 10, "fine_tune_epochs": 10, "unfreeze": 44, "views": 6, "patience": 10,
    "learning_rate": 2e-4,
}  # fmt: skip
_TUTORIAL = Plain(epochs=10, fine_tune_epochs=10, unfreeze=54, augment=_PHOTO)
# What moved accuracy most: all layers, a higher rate, and averaged weights and smoothed labels to bear it.
_ALL = {
    "model": "mobilenet_v2", "epochs": 20, "fine_tune_epochs": 10, "unfreeze": "all", "patience": 10,
    "learning_rate": 2e-4, "ema": 0.9, "label_smoothing": 0.1,
}  # fmt: skip

# A higher rate reaches in fewer epochs, on fewer views, what takes the longest; smoothed labels bear it.
_FEWER = {"learning_rate": 3e-4, "label_smoothing": 0.1}

# Two epochs of half the size cost one, and leave the network as good.
_HALF = {
    "model": "cifar_cnn", "size": 32, "half_size_epochs": 8, "epochs": 4, "patience": 8, "augment": "flip",
}  # fmt: skip

# The one place to tune.
TASKS: dict[str, Task] = {
    "flowers-96": Task("flowers", {**_TAIL, "size": 96}, _TUTORIAL),
    "flowers-160": Task(
        "flowers", {**_TAIL, **_FEWER, "fine_tune_epochs": 8, "views": 4, "size": 160}, _TUTORIAL
    ),
    # At 224 a tutorial's twenty epochs take a quarter of an hour on two cores.
    "flowers-224": Task(
        "flowers",
        {**_TAIL, **_FEWER, "fine_tune_epochs": 2, "views": 1, "size": 224},
        replace(_TUTORIAL, epochs=5, fine_tune_epochs=5),
    ),
    "flowers-160-all": Task("flowers", {**_ALL, "size": 160}, None, least=0.88),
    "flowers-224-all": Task("flowers", {**_ALL, "size": 224}, None, least=0.90),
    "mnist": Task(
        "mnist",
        {"model": "small_cnn", "epochs": 5, "patience": 5, "learning_rate": 4e-3, "label_smoothing": 0.1},
        Plain(epochs=12, augment=("shift",)),
        least=0.985,
    ),
    "cifar10-subset": Task("cifar10-subset.zip", _HALF, Plain(epochs=12, augment=("flip", "shift"))),
    "digits": Task(
        "digits",
        {"model": "small_cnn", "epochs": 10, "patience": 10},
        Plain(epochs=10, augment=("shift",)),
    ),
}
EMBEDDED = ("digits",)
DEFAULT = tuple(name for name in TASKS if name not in EMBEDDED)

METHOD = """*snapship*: the command `snapship train` with the settings of the JSON, from its start, through decoding,
to its end: a trained, evaluated and saved run with its report. Val top-1 is the saved model's. *all*: every layer
fine-tuned on augmented pixels, with averaged weights and smoothed labels. *plain Keras*: what a tutorial
does for the epochs shown: `image_dataset_from_directory` cached in memory, or arrays, augmentation layers in the
model, Adam at 0.001; on flowers the frozen base inside `model.fit`, then its last 54 layers at a hundredth of the
rate. Its val top-1 is that of its best epoch, its seconds are those of importing Keras and of everything from opening
the data to the end of the last epoch; nothing is saved. The two ways have different epochs: compared are the seconds
to a saved run and its accuracy. *On the device*: val accuracy on the pixels that the device runtime makes of the same
photos; snapship trained on those pixels. *img/s*: training images times epochs, divided by all seconds. Each training
is a process of its own, the two alternate, and round *i* has the seed plus *i*: accuracies are means over the rounds,
*spread* is their standard deviation, seconds are medians. The commands below say how many rounds, by default one."""


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Measures the chosen tasks and writes a result of each.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=1)
    made.add_argument("--data", type=Path, help="folder that holds flowers/, mnist/ and cifar10-subset.zip")
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file without its head")
    made.add_argument(
        "--only", default=",".join(DEFAULT), help=f"some of {', '.join(TASKS)}, separated by commas"
    )
    options = made.parse_args(arguments)
    names = [name for name in options.only.split(",") if name]
    if unknown := [name for name in names if name not in TASKS]:
        made.error(f"--only must be some of {', '.join(TASKS)}. Received: {unknown[0]}.")
    if not options.quick:
        if options.data is None and any(TASKS[name].data not in EMBEDDED for name in names):
            made.error("--data is needed for these tasks")
        if options.weights is None and any(TASKS[name].pretrained for name in names):
            made.error("--weights is needed for the flowers")
    keras = load_keras()
    results = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for result in _task(keras, name, options, Path(folder), command_line(MODULE, arguments)):
                # After every round: a run of hours that is ended early keeps what it has.
                print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
        results.append(result)
    return results


def _task(keras: Any, name: str, options: Any, place: Path, command: str) -> Iterator[Result]:
    facts = machine(keras)
    task, weights, width = TASKS[name], options.weights, 1.0
    pretrained = task.pretrained
    if options.quick:
        task, weights, width = _shrunk(keras, task, place)
    data, folder = _located(task, options, place)
    config = TrainConfig(
        data=data, out=place / "run", weights=weights if pretrained else None, width=width,
        overwrite=True, fresh=True, **task.train,
    )  # fmt: skip
    images = open_dataset(data)
    spec = config.input_spec(images.native_size, images.gray)
    # Of another cache than the run's, which is timed on its decoding.
    seen = place / "seen"
    pixels = cached_pixels(images, spec, seen)
    plain = task.plain and PlainTask(
        recipe=task.plain, data=str(data), cache_dir=str(seen), spec=spec, model=config.model, width=width,
        # The reader of folders is TensorFlow's; on other backends the tutorial has arrays.
        folder=str(folder) if folder and keras.backend.backend() == "tensorflow" else None,
        weights=str(weights) if pretrained else None,
    )  # fmt: skip
    outcomes: dict[str, list[Outcome]] = {"snapship": [], "plain Keras": []}
    for index in range(options.repeats):
        seed = options.seed + index
        for way in list(outcomes)[:: -1 if index % 2 else 1]:
            if way == "snapship":
                # matplotlib keeps its list of fonts, which every user has after a first plot.
                cache = {
                    **ENVIRONMENT, "XDG_CACHE_HOME": str(place / f"cache-{index}"),
                    "MPLCONFIGDIR": matplotlib.get_cachedir(),
                }  # fmt: skip
                found = _command(replace(config, seed=seed), task, cache)
            elif plain is not None:
                found = train_in_process(plain, seed, ENVIRONMENT)
            else:
                continue
            outcomes[way].append(found)
            print(f"{name} round {index + 1} {way}: {found}", file=sys.stderr)
        yield _result(name, task, options, facts, command, pixels, outcomes)


def _command(config: TrainConfig, task: Task, environment: dict[str, str]) -> Outcome:
    """Runs `snapship train`, timed from its start to its end."""
    words = [os.fspath(config.data), "--out", os.fspath(config.out), "--overwrite", "--fresh", "--json"]
    given = {**task.train, "seed": config.seed, "width": config.width, "weights": config.weights}
    for option, value in given.items():
        if value is not None:
            words += [
                f"--{option.replace('_', '-')}",
                os.fspath(value) if isinstance(value, Path) else str(value),
            ]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "snapship", "train", *words],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds = time.perf_counter() - started
    metrics = json.loads(done.stdout)["metrics"]
    return Outcome(metrics["val_top1"], metrics["val_top1"], seconds, metrics["epochs"])


def _result(
    name: str,
    task: Task,
    options: Any,
    facts: dict[str, str],
    command: str,
    pixels: Pixels,
    outcomes: dict[str, list[Outcome]],
) -> Result:
    count = len(pixels.only("train"))
    size = pixels.array.shape[1]
    what = f"{name}: {task.train['model']} at {size}, {count:,} images"
    rows: list[tuple[Cell, ...]] = []
    top1, seconds = {}, {}
    for way, found in outcomes.items():
        if not found:
            continue
        reached = [outcome.top1 for outcome in found]
        top1[way] = statistics.fmean(reached)
        seconds[way] = statistics.median(outcome.seconds for outcome in found)
        epochs = round(statistics.median(outcome.epochs for outcome in found))
        spread = 100.0 * statistics.stdev(reached) if len(reached) > 1 else None
        on_device = statistics.fmean(outcome.device_top1 for outcome in found)
        pace = count * epochs / seconds[way]
        rows.append((what, way, epochs, top1[way], spread, on_device, seconds[way], pace))
    figures = []
    if "plain Keras" in seconds:
        figures.append(
            Figure(
                f"{name}: seconds to a saved run, plain Keras / snapship",
                seconds["plain Keras"] / seconds["snapship"],
            )
        )
    figures.append(Figure(f"{name}: val top-1 of snapship", top1["snapship"], task.least))
    return Result(
        name=f"accuracy-{name}",
        group="accuracy",
        title="Accuracy and time of training",
        method=METHOD,
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={"train": task.train, "plain": asdict(task.plain) if task.plain else None, "seed": options.seed},
        columns=(
            Column("task"), Column("way"), Column("epochs", "count"), Column("val top-1", "percent"),
            Column("spread", "spread"), Column("on the device", "percent"), Column("s", "seconds"),
            Column("img/s", "rate"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


def _located(task: Task, options: Any, place: Path) -> tuple[str | Path, Path | None]:
    """What ``TrainConfig`` opens, and the class folders of it, if it has any."""
    if task.data in EMBEDDED:
        return task.data, None
    path = Path(task.data) if options.quick else options.data / task.data
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(place / "extracted")
        found = next((place / "extracted").rglob("train"))
        return path, found.parent
    return path, path if (path / "train").is_dir() else None


def _shrunk(keras: Any, task: Task, place: Path) -> tuple[Task, Path, float]:
    """The task on made-up data, for an epoch a phase."""
    pretrained = task.pretrained
    plain = task.plain and replace(task.plain, epochs=1, fine_tune_epochs=int(pretrained))
    options = {**task.train, "epochs": 1, "patience": 1}
    if "half_size_epochs" in options:
        options["half_size_epochs"] = 1
    if task.data in EMBEDDED:
        return replace(task, train=options, plain=plain, least=None), Path(), 1.0
    options["size"] = 32
    if pretrained:
        options["fine_tune_epochs"] = 1
    photos = tiny_photos(place / "photos")
    small = replace(task, data=str(photos), train=options, plain=plain, least=None)
    return (small, tiny_weights(keras, place), TINY_WIDTH) if pretrained else (small, Path(), 1.0)


if __name__ == "__main__":
    main()
