"""The weights that quantization-aware fine-tuning moves, each in a unit of its own.

Weights of one network differ by factors of a thousand in size, and one learning rate cannot suit
all. So what trains is how far a weight has moved, in steps of its int8 grid.
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
"""Steps in a standard deviation of what a batch normalisation gives, about: 8 of them fill a range."""


class TunedWeight:
    """A weight of the copy: where it was, a unit for each of its numbers, and how many units it has moved."""

    def __init__(self, variable: Any, unit: Any, axes: int | None) -> None:
        keras = load_keras()
        self.variable = variable
        self._axes = axes
        # A copy: as a tensor, a variable stays itself, and moves when it is written.
        self._first = keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(variable).copy())
        self._unit = keras.ops.convert_to_tensor(np.broadcast_to(unit, variable.shape).astype(np.float32))
        self.moved = keras.Variable(np.zeros(variable.shape, np.float32))

    def value(self) -> Any:
        """The weight as moved so far."""
        return self._first + self._unit * self.moved

    def rounded(self) -> Any:
        """The same as the artifact holds it: on the int8 grid if it is a kernel."""
        return self.value() if self._axes is None else rounded_kernel(self.value(), self._axes)

    def position(self) -> Float32Array:
        """How far it has moved, to come back to."""
        position: Float32Array = load_keras().ops.convert_to_numpy(self.moved).copy()
        return position

    def move_to(self, position: Float32Array) -> None:
        """Moves it to where it was.

        Args:
            position: What :meth:`position` gave.
        """
        self.moved.assign(position)

    def write(self) -> None:
        """Gives the copy the weight as moved so far, not rounded."""
        self.variable.assign(self.value())


def tuned_weights(copy: QatCopy) -> list[TunedWeight]:
    """Every weight that is tuned; call it after calibration, which some units come from.

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
