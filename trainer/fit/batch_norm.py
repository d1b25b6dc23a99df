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
from trainer.fit.own_copy import own_copy
from trainer.ranks.ranks import Ranks

LEAST_IMAGES, MOST_IMAGES = 512, 4096
"""Limits of the number of images measured, an eighth of the train images between them."""

BATCH = 128
"""Images that are normalised together."""


class BatchStatistics:
    """Measures the statistics of a model's trainable layers of batch normalisation."""

    def __init__(self, core: Any, train: Feed, seed: int, ranks: Ranks | None = None) -> None:
        """Chooses the images.

        Args:
            core: The ``keras.Model`` that is trained.
            train: Its training data; only the first view, the unchanged images, is used.
            seed: Seed of the choice.
            ranks: Those that train together, each of which measures some of the batches; None for one process.
        """
        self._ranks = ranks or Ranks()
        self._layers = _normalising(core)
        count = len(train.labels)
        order = np.random.default_rng(seed).permutation(count)
        size = min(BATCH, count)
        used = max(size, min(MOST_IMAGES, max(LEAST_IMAGES, count // 8), count) // size * size)
        # Full batches of mixed classes: what one batch normalises decides the inputs of later layers.
        self._batches = order[:used].reshape(-1, size)
        self._view, self._trained = train.views[0], core
        self._model: Any = None
        if not self._layers:
            return
        with self._ranks.group.apart():
            self._core = core if self._ranks.alone else own_copy(core)
            self._own = _normalising(self._core)
            self._model = _in_training(load_keras(), self._core, self._own)

    def update(self) -> None:
        """Measures, and sets the statistics of the layers; the same weights give the same."""
        if self._model is None:
            return
        group = self._ranks.group
        if not self._ranks.alone:
            self._core.set_weights(self._trained.get_weights())
        with group.apart():
            mine = [self._measured(rows) for rows in self._batches[group.rank :: group.size]]
        # Rank 0 measured batches 0, n, 2n, and so on: the sums are those of one process.
        held = [_arrays(data, self._own) for data in group.gather(b"".join(map(_bytes, mine)))]
        batches = [held[place % group.size][place // group.size] for place in range(len(self._batches))]
        for place, layer in enumerate(self._layers):
            mean = np.stack([found[2 * place] for found in batches])
            within = np.stack([found[2 * place + 1] for found in batches]).mean(axis=0)
            layer.moving_mean.assign(mean.mean(axis=0))
            layer.moving_variance.assign(within + mean.var(axis=0))

    def _measured(self, rows: Any) -> list[Any]:
        """Mean and variance of each layer's inputs, of one batch."""
        self._model.predict_on_batch(self._view[rows].astype(np.float32))
        # After a batch at momentum 0 a layer holds the statistics of that batch.
        return [
            _value(variable) for layer in self._own for variable in (layer.moving_mean, layer.moving_variance)
        ]


def _normalising(core: Any) -> list[Any]:
    kind = load_keras().layers.BatchNormalization
    return [layer for layer in core.layers if isinstance(layer, kind) and layer.trainable]


def _bytes(measured: list[Any]) -> bytes:
    return b"".join(values.tobytes() for values in measured)


def _arrays(data: bytes, layers: list[Any]) -> list[list[Any]]:
    """Takes apart what a rank measured: batch by batch, a mean and a variance of each layer."""
    sizes = [size for layer in layers for size in [int(np.prod(layer.moving_mean.shape))] * 2]
    rows = np.frombuffer(data, np.float64).reshape(-1, sum(sizes))
    ends = np.cumsum(sizes)[:-1]
    return [np.split(row, ends) for row in rows]


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
