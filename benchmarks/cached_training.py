"""Training on cached activations against the same epochs inside ``model.fit``.

Both train the same network from the same weights on the same decoded pixels, with the same
augmentation, learning rates, frozen layers and epochs. One runs the frozen part once per view and keeps
its output; the other runs all of it in every step, as plain Keras does.
"""

from __future__ import annotations

import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.options import check_photos, parser, rounds_in_words
from benchmarks.phase_clock import PHASES, PhaseClock
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_photos, tiny_weights
from edge_runtime.dataset import open_dataset
from trainer import TrainConfig, models, train
from trainer.augmentation import image_layer, resolve_augmentations
from trainer.core.backend import compile_options, load_keras
from trainer.core.cache import Pixels, cached_pixels
from trainer.fit.phase import rate_schedule
from trainer.fit.transfer import set_trainable

MODULE = "benchmarks.cached_training"
LEAST = {"head": 5.0, "fine-tune": 2.0}
"""How many times faster the cache must make each phase."""

METHOD = """{model} at {size} on {train} training and {val} val images: the head for {epochs} epochs, then the last
{unfreeze} layers of the backbone for {fine_tune} epochs. *cached*: `snapship train`, which runs the frozen part once
for {views} views and both phases; the head's seconds include that. *model.fit*: the same model, weights,
augmentation, rates and layers, with the frozen part inside every step and decoded pixels in memory. Both keep the
epoch that is best on val, and are timed from the start of the phase to its last epoch, including val. The two
alternate; {rounds}."""


@dataclass(frozen=True)
class Outcome:
    """One phase of one way.

    Attributes:
        seconds: Wall-clock time.
        cache_seconds: Part of it spent on computing ahead.
        top1: Best val accuracy, 0..1.
        epochs: Epochs run.
    """

    seconds: float
    cache_seconds: float
    top1: float
    epochs: int


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=1)
    made.add_argument("--data", help="labelled photos, such as data/flowers")
    made.add_argument("--weights", help="MobileNetV2 weights file without or with its head")
    made.add_argument("--size", type=int, default=160, help="side in pixels (default 160)")
    made.add_argument(
        "--width", type=float, default=1.0, help="width multiplier of the weights (default 1.0)"
    )
    made.add_argument("--epochs", type=int, default=10, help="epochs of the head (default 10)")
    made.add_argument("--fine-tune-epochs", type=int, default=5, help="epochs of the tail (default 5)")
    made.add_argument("--unfreeze", type=int, default=20, help="layers of the tail (default 20)")
    made.add_argument("--views", type=int, default=2, help="views computed ahead (default 2)")
    made.add_argument("--augment", default="auto", help="augmentations (default auto: crop,flip)")
    options = made.parse_args(arguments)
    check_photos(made, options)
    keras = load_keras()
    facts = machine(keras)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.quick:
            _shrink(keras, options, folder)
        result = _compared(keras, options, folder, facts, command_line(MODULE, arguments))
    shown = ", ".join(f"{figure.name} {figure.value:.2f}" for figure in result.figures)
    print(f"wrote {write_result(result, options.results)}: {shown}", file=sys.stderr)
    return result


def _shrink(keras: Any, options: Any, folder: Path) -> None:
    """Made-up photos and weights, and one epoch of each."""
    options.data, options.weights = tiny_photos(folder / "photos"), tiny_weights(keras, folder)
    options.width, options.size, options.epochs, options.fine_tune_epochs = TINY_WIDTH, 32, 1, 1


def _compared(keras: Any, options: Any, folder: Path, facts: dict[str, str], command: str) -> Result:
    config = TrainConfig(
        data=options.data, out=folder / "run", model="mobilenet_v2", size=options.size, width=options.width,
        weights=options.weights, epochs=options.epochs, fine_tune_epochs=options.fine_tune_epochs,
        unfreeze=options.unfreeze, views=options.views, augment=options.augment, seed=options.seed,
        patience=max(options.epochs, options.fine_tune_epochs, 1), overwrite=True, fresh=True,
        cache_dir=folder / "cache",
    )  # fmt: skip
    images = open_dataset(options.data)
    # Decoded beforehand: neither side is timed on decoding.
    pixels = cached_pixels(images, config.input_spec(images.native_size, images.gray), config.cache_dir)
    ways = {"cached": _cached, "model.fit": _inside_fit}
    rounds: dict[str, list[dict[str, Outcome]]] = {way: [] for way in ways}
    for index in range(options.repeats):
        # The order changes, so that neither way always meets the warmer machine.
        for way in list(ways)[:: -1 if index % 2 else 1]:
            keras.utils.clear_session()
            rounds[way].append(ways[way](keras, config, pixels))
            print(f"round {index + 1} {way}: {rounds[way][-1]}", file=sys.stderr)
    train_images, val_images = len(pixels.only("train")), len(pixels.only("val"))
    rows: list[tuple[Cell, ...]] = []
    figures = []
    for phase in PHASES:
        seconds = {}
        for way, outcomes in rounds.items():
            found = [outcome[phase] for outcome in outcomes]
            seconds[way] = statistics.median(entry.seconds for entry in found)
            epochs = found[0].epochs
            rows.append((
                phase, way, epochs, statistics.median(entry.top1 for entry in found), seconds[way],
                statistics.median(entry.cache_seconds for entry in found), train_images * epochs / seconds[way],
            ))  # fmt: skip
        figures.append(
            Figure(f"{phase}: model.fit / cached, seconds", seconds["model.fit"] / seconds["cached"], LEAST[phase])
        )  # fmt: skip
    return Result(
        name="cached-training",
        group="cached-training",
        title="Training on cached activations",
        method=METHOD.format(
            model=config.model, size=config.size, train=train_images, val=val_images, epochs=config.epochs,
            unfreeze=config.unfreeze, fine_tune=config.fine_tune_epochs, views=config.views,
            rounds=rounds_in_words(options.repeats),
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={"seed": config.seed, "augment": list(resolve_augmentations(config.augment, False)),
                  "batch_size": config.batch_size},
        columns=(
            Column("phase"), Column("way"), Column("epochs", "count"), Column("val top-1", "percent"),
            Column("s", "seconds"), Column("of it cache", "seconds"), Column("img/s", "rate"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


def _cached(_: Any, config: TrainConfig, __: Pixels) -> dict[str, Outcome]:
    """The project's way, through its public API."""
    clock = PhaseClock()
    run = train(config, clock)
    with (run.path / "history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    outcomes = {}
    for phase, span in clock.spans.items():
        reached = [float(row["val_accuracy"]) for row in rows if row["phase"] == phase]
        outcomes[phase] = Outcome(span.seconds, span.cache_seconds, max(reached), len(reached))
    return outcomes


def _inside_fit(keras: Any, config: TrainConfig, pixels: Pixels) -> dict[str, Outcome]:
    """Plain Keras: frozen layers in the model, pixels in memory."""
    keras.utils.set_random_seed(config.seed)
    sides = [pixels.only(split) for split in ("train", "val")]
    (x, y), val = [(pixels.array[side].astype(np.float32), pixels.labels[side]) for side in sides]
    core = models.build(
        config.model, input_shape=pixels.array.shape[1:], classes=len(pixels.images.labels),
        weights=config.weights, width=config.width,
    )  # fmt: skip
    image = keras.Input(pixels.array.shape[1:])
    model = keras.Model(
        image, core(image_layer(resolve_augmentations(config.augment, False), config.seed)(image))
    )
    steps = -(-len(x) // config.batch_size)
    outcomes = {}
    for phase, epochs, rate in _phases(config):
        set_trainable(core, 0 if phase == "head" else config.unfreeze, config.train_batch_norm)
        started = time.perf_counter()
        model.compile(
            optimizer=keras.optimizers.Adam(rate_schedule(config.schedule, rate, steps * epochs)),
            loss="sparse_categorical_crossentropy", metrics=["accuracy"], **compile_options(keras),
        )  # fmt: skip
        # The usual way to end with the best epoch; it never stops early.
        best = keras.callbacks.EarlyStopping("val_accuracy", patience=epochs, restore_best_weights=True)
        history = model.fit(
            x,
            y,
            batch_size=config.batch_size,
            epochs=epochs,
            validation_data=val,
            callbacks=[best],
            verbose=0,
        )
        seconds = time.perf_counter() - started
        outcomes[phase] = Outcome(seconds, 0.0, max(history.history["val_accuracy"]), epochs)
    return outcomes


def _phases(config: TrainConfig) -> list[tuple[str, int, float]]:
    """Name, epochs and highest rate of both, as the project trains them."""
    from trainer.config.schedule import phases

    return [(step.name, step.epochs, float(step.learning_rate or 0.0)) for step in phases(config)]


if __name__ == "__main__":
    main()
