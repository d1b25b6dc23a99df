"""Statistics of batch normalisation, measured before every validation.

During training a layer follows its batches with a moving average. That lags behind the weights: at
Keras' momentum of 0.99 by a hundred steps, which is more than an epoch of a small data set, so that val
accuracy says nothing for epochs. It is also that of the raw weights where their average is judged, and of
inputs that dropout scales. Here the statistics are averages over some of the train images under the
current weights, as in "Rethinking 'Batch' in BatchNorm" (Wu and Johnson 2021, arXiv 2105.07576, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from trainer.core.backend import compile_options, load_keras
from trainer.fit.batches import Feed

LEAST_IMAGES, MOST_IMAGES = 512, 4096
"""Limits of the number of images measured, an eighth of the train images between them."""

BATCH = 128
"""Images that are normalised together."""


class BatchStatistics:
    """Measures the statistics of a model's trainable layers of batch normalisation."""

    def __init__(self, core: Any, train: Feed, seed: int) -> None:
        """Chooses the images.

        Args:
            core: The ``keras.Model`` that is trained.
            train: Its training data; only the first view, the unchanged images, is used.
            seed: Seed of the choice.
        """
        keras = load_keras()
        normalising = keras.layers.BatchNormalization
        self._layers = [layer for layer in core.layers if isinstance(layer, normalising) and layer.trainable]
        count = len(train.labels)
        order = np.random.default_rng(seed).permutation(count)
        size = min(BATCH, count)
        used = max(size, min(MOST_IMAGES, max(LEAST_IMAGES, count // 8), count) // size * size)
        # Full batches of mixed classes: what one batch normalises decides the inputs of later layers.
        self._batches = order[:used].reshape(-1, size)
        self._view = train.views[0]
        self._model = _in_training(keras, core, self._layers) if self._layers else None

    def update(self) -> None:
        """Measures, and sets the statistics of the layers; the same weights give the same."""
        if self._model is None:
            return
        means: list[list[Any]] = []
        variances: list[list[Any]] = []
        for rows in self._batches:
            self._model.predict_on_batch(self._view[rows].astype(np.float32))
            # After a batch at momentum 0 a layer holds the statistics of that batch.
            means.append([_value(layer.moving_mean) for layer in self._layers])
            variances.append([_value(layer.moving_variance) for layer in self._layers])
        for place, layer in enumerate(self._layers):
            mean = np.stack([found[place] for found in means])
            within = np.stack([found[place] for found in variances]).mean(axis=0)
            layer.moving_mean.assign(mean.mean(axis=0))
            layer.moving_variance.assign(within + mean.var(axis=0))


def _in_training(keras: Any, core: Any, layers: list[Any]) -> Any:
    """A model whose prediction normalises by the batch and leaves its statistics in the layers."""
    dropout = [layer for layer in core.layers if isinstance(layer, keras.layers.Dropout)]

    class InTraining(keras.layers.Layer):  # type: ignore[misc]
        """Calls the core as in training, but without dropout, which scales what is normalised."""

        def __init__(self) -> None:
            # As in training, the core alone decides about the precision.
            super().__init__(name="in_training", dtype="float32")
            self.core = core

        def call(self, x: Any) -> Any:
            with _set(layers, "momentum", 0.0), _set(dropout, "rate", 0.0):
                return self.core(x, training=True)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape[0], *self.core.output.shape[1:]

    image = keras.Input(core.input.shape[1:], dtype="float32")
    model = keras.Model(image, InTraining()(image))
    model.compile(**compile_options(keras))
    return model


@contextmanager
def _set(layers: list[Any], name: str, value: float) -> Iterator[None]:
    """Sets an attribute of layers while a function is traced, or runs."""
    kept = [getattr(layer, name) for layer in layers]
    for layer in layers:
        setattr(layer, name, value)
    try:
        yield
    finally:
        for layer, was in zip(layers, kept, strict=True):
            setattr(layer, name, was)


def _value(variable: Any) -> Any:
    return np.array(load_keras().ops.convert_to_numpy(variable), np.float64)
