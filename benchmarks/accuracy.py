"""Accuracy, seconds and images per second of training, compared with plain Keras.

Each task is trained in both ways in one run, alternating: `snapship train` with the settings below, and
what a tutorial does (`benchmarks.plain_keras`) for the same epochs. Each task writes its own JSON.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.options import parser, rounds_in_words
from benchmarks.plain_keras import Plain, PlainOutcome, train_plainly
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_photos, tiny_weights
from edge_runtime.dataset import open_dataset
from trainer import Run, TrainConfig, train
from trainer.core.backend import load_keras
from trainer.core.cache import Pixels, cached_pixels

MODULE = "benchmarks.accuracy"


@dataclass(frozen=True)
class Task:
    """One line of the comparison.

    Attributes:
        data: Below ``--data``, or the name of an embedded set.
        train: Options of ``TrainConfig``.
        plain: The tutorial's way, for the same epochs of the same phases; None to leave it out.
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
    "learning_rate": 2e-4, "ema": 0.9, "label_smoothing": 0.1, "precision": "mixed_bfloat16",
}  # fmt: skip

# At 224 a tutorial's twenty epochs take a quarter of an hour on two cores.
_SHORT = {"epochs": 5, "fine_tune_epochs": 5}

# The one place to tune. Both ways must have the same epochs, and patience must not end one of them.
TASKS: dict[str, Task] = {
    "flowers-96": Task("flowers", {**_TAIL, "size": 96}, _TUTORIAL),
    "flowers-160": Task("flowers", {**_TAIL, "size": 160}, _TUTORIAL),
    "flowers-224": Task(
        "flowers", {**_TAIL, **_SHORT, "size": 224}, replace(_TUTORIAL, epochs=5, fine_tune_epochs=5)
    ),
    "flowers-160-all": Task("flowers", {**_ALL, "size": 160}, None, least=0.88),
    "flowers-224-all": Task("flowers", {**_ALL, "size": 224}, None, least=0.90),
    "mnist": Task(
        "mnist",
        {"model": "small_cnn", "epochs": 12, "patience": 12},
        Plain(epochs=12, augment=("shift",)),
        least=0.985,
    ),
    "cifar10-subset": Task(
        "cifar10-subset.zip",
        {"model": "cifar_cnn", "size": 32, "epochs": 12, "patience": 12, "augment": "flip,shift"},
        Plain(epochs=12, augment=("flip", "shift")),
    ),
    "digits": Task(
        "digits",
        {"model": "small_cnn", "epochs": 10, "patience": 10},
        Plain(epochs=10, augment=("shift",)),
    ),
}
EMBEDDED = ("digits",)
DEFAULT = tuple(name for name in TASKS if name not in EMBEDDED)

METHOD = """*snapship*: `snapship train`, from opening the data (nothing decoded before) to a trained, evaluated and
saved run; on flowers the head and then the last 44 layers from cached activations of six views. *all*: every layer
fine-tuned on augmented pixels, with averaged weights, smoothed labels and bfloat16, which raised accuracy further.
*plain Keras*: what a tutorial does, for the same epochs of the same phases: `image_dataset_from_directory` cached in
memory, or arrays, augmentation layers in the model, the frozen base inside `model.fit`, then its last 54 layers at a
hundredth of the rate. Both keep the epoch that is best on val. *On the device*: val accuracy on the pixels that the
device runtime makes of the same photos; snapship trained on those pixels. *img/s*: training images times epochs,
divided by total seconds. The two alternate in one process; {rounds}."""


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
            result = _task(keras, name, options, Path(folder), command_line(MODULE, arguments))
        print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
        results.append(result)
    return results


def _task(keras: Any, name: str, options: Any, place: Path, command: str) -> Result:
    facts = machine(keras)
    task, weights, width = TASKS[name], options.weights, 1.0
    pretrained = task.pretrained
    if options.quick:
        task, weights, width = _shrunk(keras, task, place)
    data, folder = _located(task, options, place)
    config = TrainConfig(
        data=data, out=place / "run", weights=weights if pretrained else None, width=width,
        seed=options.seed, overwrite=True, fresh=True, cache_dir=place / "cache", **task.train,
    )  # fmt: skip
    images = open_dataset(data)
    spec = config.input_spec(images.native_size, images.gray)
    # Of another cache than the run's, which is timed on its decoding.
    pixels = cached_pixels(images, spec, place / "seen")
    # The reader of folders is TensorFlow's; on other backends the tutorial has arrays.
    folder = folder if keras.backend.backend() == "tensorflow" else None
    runs: list[Run] = []
    plain: list[PlainOutcome] = []
    for index in range(options.repeats):
        for way in ("snapship", "plain")[:: -1 if index % 2 else 1]:
            keras.utils.clear_session()
            if way == "snapship":
                runs.append(train(replace(config, cache_dir=place / f"cache-{index}")))
                continue
            if task.plain is None:
                continue
            plain.append(
                train_plainly(
                    keras, task.plain, pixels, folder=folder, model=config.model, width=width, seed=options.seed,
                    weights=weights if pretrained else None,
                )
            )  # fmt: skip
    return _result(name, task, options, facts, command, pixels, spec.height, runs, plain)


def _result(
    name: str,
    task: Task,
    options: Any,
    facts: dict[str, str],
    command: str,
    pixels: Pixels,
    size: int,
    runs: list[Run],
    plain: list[PlainOutcome],
) -> Result:
    median = statistics.median
    count = len(pixels.only("train"))
    what = f"{name}: {task.train['model']} at {size}, {count:,} images"
    epochs = runs[0].record.metrics.epochs
    top1 = median(run.record.metrics.val_top1 for run in runs)
    seconds = median(run.record.metrics.seconds for run in runs)
    rows: list[tuple[Cell, ...]] = [(what, "snapship", epochs, top1, top1, seconds, count * epochs / seconds)]
    figures = []
    if plain:
        plain_seconds = median(outcome.seconds for outcome in plain)
        plain_top1 = median(outcome.top1 for outcome in plain)
        on_device = median(outcome.device_top1 for outcome in plain)
        pace = count * plain[0].epochs / plain_seconds
        rows.append((what, "plain Keras", plain[0].epochs, plain_top1, on_device, plain_seconds, pace))
        figures.append(Figure(f"{name}: seconds, plain Keras / snapship", plain_seconds / seconds))
    if task.least is not None:
        figures.append(Figure(f"{name}: val top-1 of snapship", top1, task.least))
    return Result(
        name=f"accuracy-{name}",
        group="accuracy",
        title="Accuracy and time of training",
        method=METHOD.format(rounds=rounds_in_words(options.repeats)),
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={"train": task.train, "plain": asdict(task.plain) if task.plain else None, "seed": options.seed},
        columns=(
            Column("task"), Column("way"), Column("epochs", "count"), Column("val top-1", "percent"),
            Column("on the device", "percent"), Column("s", "seconds"), Column("img/s", "rate"),
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
