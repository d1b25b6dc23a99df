"""Rounding to an int8 grid with gradients, for quantization-aware fine-tuning.

The gradient is the straight-through estimator (Jacob et al. 2018, Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference): 1 inside the range and 0 outside.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from exporter.backend import load_keras

LEAST_WIDTH = 1e-6
"""Minimum width of a range, for tensors that are always 0."""


def rounded_kernel(kernel: Any, axes: int) -> Any:
    """Rounds a kernel to int8, symmetric, with one scale per output channel.

    Batch normalisation multiplies each output channel by one factor, which scales grid and values alike, so
    a kernel may be rounded before it is folded.

    Args:
        kernel: float32, output channels in its last axes.
        axes: Number of these axes.

    Returns:
        Multiples -127..127 of each channel's largest magnitude / 127.
    """
    keras = load_keras()
    ops = keras.ops
    flat = ops.reshape(kernel, (-1, _channels(kernel, axes)))
    largest = ops.maximum(ops.stop_gradient(ops.max(ops.abs(flat), axis=0)), LEAST_WIDTH)
    rounded = keras.quantizers.fake_quant_with_min_max_vars(
        flat, -largest, largest, narrow_range=True, axis=1
    )
    return ops.reshape(rounded, kernel.shape)


def _channels(kernel: Any, axes: int) -> int:
    count = 1
    for size in kernel.shape[-axes:]:
        count *= int(size)
    return count


@cache
def range_layer() -> Any:
    """The Keras layer ``Range``, defined at the first call."""
    keras = load_keras()
    layer: Any = keras.layers.Layer

    class Range(layer):  # type: ignore[misc]
        """Rounds a tensor to 256 equal steps from ``low`` to ``high``, including 0.

        While ``observing``, it extends the range to its inputs and returns them unchanged. A traced
        function keeps the state it was traced in.
        """

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.observing = False

        def build(self, shape: Any) -> None:
            self.low = self.add_weight(shape=(), initializer="zeros", trainable=False, name="low")
            self.high = self.add_weight(shape=(), initializer="zeros", trainable=False, name="high")

        def forget(self) -> None:
            """Resets the range."""
            self.low.assign(0.0)
            self.high.assign(0.0)

        def call(self, inputs: Any) -> Any:
            ops = keras.ops
            if self.observing:
                self.low.assign(ops.minimum(self.low, ops.min(inputs)))
                self.high.assign(ops.maximum(self.high, ops.max(inputs)))
                return inputs
            high = ops.maximum(self.high, self.low + LEAST_WIDTH)
            return keras.quantizers.fake_quant_with_min_max_vars(inputs, self.low, high)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    return Range
