"""The plain-Keras way that the project is compared with: what a tutorial does.

From scratch: arrays or ``image_dataset_from_directory``, augmentation layers in the model, ``fit``.
Transfer learning: ``keras.applications`` with its base frozen inside ``fit``, then the base unfrozen
at a hundredth of the rate, as in the Keras guide "Transfer learning & fine-tuning".

It runs in a process of its own, which reads a :class:`PlainTask` as JSON from stdin and writes an
:class:`Outcome` to stdout, so that it has nothing of what ``snapship train`` sets.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge_runtime.dataset import open_dataset
from edge_runtime.image.input_spec import InputSpec
from trainer import models
from trainer.core.backend import chosen_backend
from trainer.core.cache import Pixels, cached_pixels

MODULE = "benchmarks.plain_keras"

_BATCH = 32
_DROPOUT = 0.2
_RATE = 1e-3
"""Keras' default of Adam, which the guide uses for the head."""

_FINE_TUNE_RATE = 1e-5
"""The guide's rate for the unfrozen base."""

VAL_FOLDERS = ("val", "valid", "validation", "test")
"""Names of the folder to measure on, the first that is there."""


@dataclass(frozen=True)
class Plain:
    """How the tutorial is followed.

    Attributes:
        epochs: Epochs from scratch, or with a frozen base.
        fine_tune_epochs: Epochs after unfreezing.
        unfreeze: Layers at the end of the base to train, None for all.
        augment: Names of Keras layers, in :data:`LAYERS`.
    """

    epochs: int
    fine_tune_epochs: int = 0
    unfreeze: int | None = None
    augment: tuple[str, ...] = ()


LAYERS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "flip": ("RandomFlip", ("horizontal",)),
    "rotation": ("RandomRotation", (0.1,)),
    "shift": ("RandomTranslation", (0.08, 0.08)),
    "zoom": ("RandomZoom", (0.1,)),
}
"""Augmentation layers of Keras by name."""


@dataclass(frozen=True)
class Outcome:
    """What came of training in one way.

    Attributes:
        top1: Val accuracy, 0..1: of the best epoch through the tutorial's own pipeline, or of the saved run.
        device_top1: The same model on the pixels that a device makes of the same images, 0..1.
        seconds: Wall-clock time until it was there.
        epochs: All phases together.
    """

    top1: float
    device_top1: float
    seconds: float
    epochs: int


@dataclass(frozen=True)
class PlainTask:
    """What to train on.

    Attributes:
        recipe: How.
        data: What ``edge_runtime.dataset`` opens.
        cache_dir: Folder of its decoded pixels, as a device sees them; also what is trained on without
            ``folder``.
        spec: The model's input.
        folder: ``train`` and one of :data:`VAL_FOLDERS` of class folders, read with
            ``image_dataset_from_directory``.
        model: The architecture: MobileNetV2 with ``weights``, else one of the project's.
        weights: Pretrained weights without their head, None for random ones.
        width: Width multiplier of the weights.
    """

    recipe: Plain
    data: str
    cache_dir: str
    spec: InputSpec
    folder: str | None
    model: str
    weights: str | None
    width: float


def train_in_process(task: PlainTask, seed: int, environment: dict[str, str]) -> Outcome:
    """Trains in a new process.

    Args:
        task: What on.
        seed: Seed of everything random.
        environment: Its environment variables.
    """
    done = subprocess.run(
        [sys.executable, "-m", MODULE, str(seed)], env=environment, input=msgspec.json.encode(task),
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Outcome)


def main() -> None:
    """Trains what stdin says, with the seed of the command line."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=PlainTask)
    os.environ["KERAS_BACKEND"] = chosen_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    started = time.perf_counter()
    # Not by load_keras, which sets what a tutorial does not.
    import keras

    loading = time.perf_counter() - started
    pixels = cached_pixels(open_dataset(task.data), task.spec, task.cache_dir)
    found = train_plainly(keras, task, pixels, int(sys.argv[1]))
    whole = Outcome(found.top1, found.device_top1, loading + found.seconds, found.epochs)
    print(msgspec.json.encode(whole).decode())


def train_plainly(keras: Any, task: PlainTask, pixels: Pixels, seed: int) -> Outcome:
    """Trains as a tutorial does.

    Args:
        keras: The keras module.
        task: What on.
        pixels: Its decoded images.
        seed: Seed of everything random.

    Returns:
        The outcome; its seconds are from opening the data to the end of the last epoch.
    """
    recipe, weights = task.recipe, task.weights
    keras.utils.set_random_seed(seed)
    started = time.perf_counter()
    shape = tuple(pixels.array.shape[1:])
    train, val = _folder_data(keras, Path(task.folder), shape, seed) if task.folder else _array_data(pixels)
    layers = [getattr(keras.layers, LAYERS[name][0])(*LAYERS[name][1]) for name in recipe.augment]
    image = keras.Input(shape)
    x = image
    for layer in layers:
        x = layer(x)
    classes = len(pixels.images.labels)
    base = None
    if weights is None:
        whole = keras.Model(image, models.build(task.model, input_shape=shape, classes=classes)(x))
    else:
        base = keras.applications.MobileNetV2(shape, alpha=task.width, include_top=False, weights=weights)
        base.trainable = False
        x = base(keras.applications.mobilenet_v2.preprocess_input(x), training=False)
        x = keras.layers.Dropout(_DROPOUT)(keras.layers.GlobalAveragePooling2D()(x))
        whole = keras.Model(image, keras.layers.Dense(classes, activation="softmax")(x))
    top1 = _fit(keras, whole, train, val, _RATE, recipe.epochs)
    if base is not None and recipe.fine_tune_epochs:
        base.trainable = True
        for layer in base.layers[: -recipe.unfreeze if recipe.unfreeze else 0]:
            layer.trainable = False
        top1 = max(top1, _fit(keras, whole, train, val, _FINE_TUNE_RATE, recipe.fine_tune_epochs))
    seconds = time.perf_counter() - started
    rows = pixels.only("val")
    scores = whole.predict(pixels.array[rows].astype(np.float32), batch_size=64, verbose=0)
    device = float((np.argmax(scores, axis=1) == pixels.labels[rows]).mean())
    return Outcome(top1, device, seconds, recipe.epochs + recipe.fine_tune_epochs)


def _fit(keras: Any, model: Any, train: Any, val: Any, rate: float, epochs: int) -> float:
    """Trains, leaves the best epoch's weights, and returns its val accuracy."""
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=epochs, restore_best_weights=True
    )
    # A data set of TensorFlow's comes shuffled and in batches.
    options = {"batch_size": _BATCH} if isinstance(train, tuple) else {"shuffle": False}
    pair = train if isinstance(train, tuple) else (train,)
    history = model.fit(*pair, validation_data=val, epochs=epochs, callbacks=[best], verbose=0, **options)
    return float(max(history.history["val_accuracy"]))


def _folder_data(keras: Any, folder: Path, shape: tuple[int, ...], seed: int) -> tuple[Any, Any]:
    """The tutorial's pipeline, decoded once into memory: its faster form."""
    read = keras.utils.image_dataset_from_directory
    options = {
        "image_size": shape[:2],
        "batch_size": _BATCH,
        "color_mode": "grayscale" if shape[2] == 1 else "rgb",
        "verbose": False,
    }
    train = read(folder / "train", seed=seed, **options).cache().shuffle(100, seed=seed)
    side = next(folder / name for name in VAL_FOLDERS if (folder / name).is_dir())
    val = read(side, shuffle=False, **options).cache()
    return train.prefetch(2), val.prefetch(2)


def _array_data(pixels: Pixels) -> tuple[Any, Any]:
    sides = (pixels.only("train"), pixels.only("val"))
    train, val = ((pixels.array[side].astype(np.float32), pixels.labels[side]) for side in sides)
    return train, val


if __name__ == "__main__":
    main()
