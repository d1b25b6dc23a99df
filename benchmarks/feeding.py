"""Whether the input starves the device: training from mapped pixels against training from the device.

Both train the same compiled model of the project, including augmentation. One is ``fit`` on the
project's batches, read at random from a memory-mapped uint8 file; the other repeats one batch that
is already on the device. Their ratio is the share of the device's speed that feeding leaves.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.device_loop import device_loop
from benchmarks.machine import device, machine
from benchmarks.options import parser, rounds_in_words
from benchmarks.result import Column, Figure, Result, command_line, now, write_result
from trainer import models
from trainer.augmentation import image_layer, target_layer
from trainer.core.backend import compile_options, load_keras
from trainer.fit.batches import Feed, Rows, fit_batches
from trainer.fit.training_model import accuracy, as_logits, loss, training_model

MODULE = "benchmarks.feeding"
CLASSES = 5
LEAST = 0.9
"""Share of the device's own speed that feeding must leave."""

METHOD = """Images per second of training, including augmentation. *Mapped pixels*: `fit` on the project's batches,
read at random from a memory-mapped uint8 file of {images:,} images. *Device*: the same compiled step repeated on
one batch that is already on the device, without callbacks. The two alternate; {rounds} of {steps} steps. Measured
on: **{device}**."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "", repeats=5)
    made.add_argument("--model", default="mobilenet_v2", help="architecture (default mobilenet_v2)")
    made.add_argument("--size", type=int, default=160, help="side in pixels (default 160)")
    made.add_argument("--batch-size", type=int, default=32, help="images per step (default 32)")
    made.add_argument("--steps", type=int, default=40, help="steps of a round (default 40)")
    made.add_argument("--images", type=int, default=4096, help="images in the mapped file (default 4096)")
    made.add_argument(
        "--augment", default="crop,flip", help="augmentations, empty for none (default crop,flip)"
    )
    made.add_argument("--precision", default="float32", help="Keras dtype policy (default float32)")
    made.add_argument("--name", default="", help="name of the result (default feeding-BACKEND-DEVICE)")
    options = made.parse_args(arguments)
    if options.quick:
        options.model, options.size, options.batch_size = "small_cnn", 28, 8
        options.steps, options.images, options.repeats = 3, 24, 1
    keras = load_keras()
    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy(options.precision)
    facts = machine(keras)
    with tempfile.TemporaryDirectory() as folder:
        fed, own = _measure(keras, options, Path(folder))
    images = options.steps * options.batch_size
    speeds = {"mapped pixels": images / statistics.median(fed), "device": images / statistics.median(own)}
    on = device(keras)
    label = f"{options.model} at {options.size}, batches of {options.batch_size}, {options.precision}"
    result = Result(
        name=options.name or f"feeding-{keras.backend.backend()}-{'cpu' if on == 'CPU' else 'gpu'}",
        group="feeding",
        title="Feeding the device",
        method=METHOD.format(
            device=on if on != "CPU" else "CPU, since there is no GPU", images=options.images,
            steps=options.steps, rounds=rounds_in_words(options.repeats),
        ),
        command=command_line(MODULE, arguments),
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={name: str(value) for name, value in vars(options).items() if name != "results"},
        columns=(Column("model"), Column("backend"), Column("device"), Column("fed from"), Column("img/s", "rate")),
        rows=tuple((label, keras.backend.backend(), on, way, speed) for way, speed in speeds.items()),
        figures=(
            Figure(
                f"img/s from mapped pixels / img/s from the device ({keras.backend.backend()}, {on})",
                speeds["mapped pixels"] / speeds["device"],
                LEAST,
            ),
        ),
    )  # fmt: skip
    print(f"wrote {write_result(result, options.results)}: {result.figures[0].value:.3f}", file=sys.stderr)
    return result


def _measure(keras: Any, options: Any, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of each round, fed and from the device."""
    batches = _mapped_batches(options, folder)
    core = models.build(
        options.model, input_shape=(options.size, options.size, 3), classes=CLASSES, weights=None
    )
    shape = (options.size, options.size, 3)
    names = tuple(name for name in options.augment.split(",") if name)
    with as_logits(core):
        model = training_model(
            core, shape, "uint8", image_layer(names, options.seed), target_layer(names, CLASSES, options.seed)
        )
        model.compile(
            optimizer=keras.optimizers.Adam(1e-4), loss=loss, metrics=[accuracy], **compile_options(keras)
        )
        fed = _fit_clock(keras, model, batches)
        loop = device_loop(keras, model, *batches[0])
        # The first round of each compiles.
        fed()
        loop(2)
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.repeats):
            seconds[0].append(fed())
            started = time.perf_counter()
            loop(options.steps)
            seconds[1].append(time.perf_counter() - started)
    return seconds


def _mapped_batches(options: Any, folder: Path) -> Any:
    """The project's batches of whole steps over a mapped file of random pixels."""
    random = np.random.default_rng(options.seed)
    shape = (options.images, options.size, options.size, 3)
    written = np.lib.format.open_memmap(folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, options.images, 256):
        part = written[start : start + 256]
        part[:] = random.integers(0, 256, part.shape, np.uint8)
    written.flush()
    array = np.lib.format.open_memmap(folder / "pixels.npy", mode="r")
    labels = random.integers(0, CLASSES, options.images)
    chosen = random.permutation(options.images)
    chosen = np.resize(chosen, options.steps * options.batch_size).astype(np.int64)
    feed = Feed((Rows(array, chosen),), labels[chosen].astype(np.int64))
    return fit_batches(feed, batch_size=options.batch_size, seed=options.seed, shuffle=True)


def _fit_clock(keras: Any, model: Any, batches: Any) -> Callable[[], float]:
    """Returns a function that fits one epoch and returns its seconds."""

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        """Times an epoch, its first batch included."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds = time.perf_counter() - self.started

    def fit() -> float:
        clock = Clock()
        model.fit(batches, epochs=1, callbacks=[clock], verbose=0, shuffle=False)
        return float(clock.seconds)

    return fit


if __name__ == "__main__":
    main()
