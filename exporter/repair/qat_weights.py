"""The weights trained by quantization-aware fine-tuning, each in its own unit.

The weights of a network differ in size by factors of a thousand, so no single learning rate fits all of
them. What is trained is therefore the change of each weight, in steps of its int8 grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_runtime.result import Float32Array
from exporter.backend import load_keras
from exporter.repair.qat_copy import QatCopy
from exporter.repair.qat_range import rounded_kernel

GRID = 127.0
"""Steps from 0 to the largest weight of an output channel."""

ACTIVATION_STEPS = 256.0
NORMALISED_STEPS = 32.0
"""Steps per standard deviation of a normalised output, roughly: 8 of these fill a range."""


class TunedWeight:
    """A weight of the copy: its initial value, a unit per element, and its change in these units."""

    def __init__(self, variable: Any, unit: Any, axes: int | None) -> None:
        keras = load_keras()
        self.variable = variable
        self._axes = axes
        # A copy: a variable converted to a tensor would change when it is written.
        self._first = keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(variable).copy())
        self._unit = keras.ops.convert_to_tensor(np.broadcast_to(unit, variable.shape).astype(np.float32))
        self.moved = keras.Variable(np.zeros(variable.shape, np.float32))

    def value(self) -> Any:
        """The current value of the weight."""
        return self._first + self._unit * self.moved

    def rounded(self) -> Any:
        """The value as in the artifact: on the int8 grid if it is a kernel."""
        return self.value() if self._axes is None else rounded_kernel(self.value(), self._axes)

    def position(self) -> Float32Array:
        """Its current change, to restore later."""
        position: Float32Array = load_keras().ops.convert_to_numpy(self.moved).copy()
        return position

    def move_to(self, position: Float32Array) -> None:
        """Restores an earlier change.

        Args:
            position: A result of :meth:`position`.
        """
        self.moved.assign(position)

    def write(self) -> None:
        """Writes the current value, unrounded, into the copy."""
        self.variable.assign(self.value())


def tuned_weights(copy: QatCopy) -> list[TunedWeight]:
    """All weights to tune; call after calibration, which some units are based on.

    Args:
        copy: The copy.
    """
    to_numpy = load_keras().ops.convert_to_numpy
    weights = []
    for kernel, axes in copy.kernels:
        numbers = np.abs(to_numpy(kernel))
        largest = numbers.max(axis=tuple(range(numbers.ndim - axes)), keepdims=True)
        weights.append(TunedWeight(kernel, largest / GRID, axes))
    for layer in copy.normalisations:
        scale = np.abs(to_numpy(layer.gamma)) if layer.scale else np.ones(layer.moving_mean.shape, np.float32)
        if layer.scale:
            weights.append(TunedWeight(layer.gamma, scale / GRID, None))
        if layer.center:
            weights.append(TunedWeight(layer.beta, scale / NORMALISED_STEPS, None))
    for bias, layer in copy.biases:
        width = float(to_numpy(layer.high)) - float(to_numpy(layer.low))
        weights.append(TunedWeight(bias, width / ACTIVATION_STEPS, None))
    return weights
