"""A copy of a Keras model that rounds every tensor as the int8 artifact does.

The copy has the layers of the original, and a layer of :func:`range_layer` behind each tensor that the
converters keep in int8: none between a convolution and the batch normalisation and ReLU that are folded
into it, and none behind layers that only move values.

Kernels are not rounded here but passed in rounded, see :mod:`exporter.repair.qat`.

The gradient of the rounding is the straight-through estimator (Jacob et al. 2018, Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference): 1 inside the range and 0 outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from exporter.common.backend import load_keras

Stage = Literal["linear", "normalised", "sum", "whole"]
"""What may still be folded into the operation that produces a tensor.

``linear``: a batch normalisation or a ReLU. ``normalised`` and ``sum``: a ReLU. ``whole``: nothing.
"""

KERNELS: dict[str, dict[str, int]] = {
    "Conv1D": {"kernel": 1},
    "Conv2D": {"kernel": 1},
    "Dense": {"kernel": 1},
    "DepthwiseConv2D": {"kernel": 2},
    "SeparableConv2D": {"depthwise_kernel": 2, "pointwise_kernel": 1},
}
"""Layers with quantized kernels: the kernels, and how many of their last axes are output channels."""

LEAST_WIDTH = 1e-6
"""Minimum width of a range, for tensors that are always 0."""

_NORMALISATION = "BatchNormalization"
_NOTHING_AT_INFERENCE = {
    "ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Identity",
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
}  # fmt: skip
_SAME_NUMBERS = {
    "Cropping2D", "Flatten", "GlobalMaxPooling2D", "MaxPooling2D", "Normalization", "Permute", "Rescaling",
    "Reshape", "ZeroPadding2D",
}  # fmt: skip
_SUMS = {"Add", "Subtract"}
_RELUS = {"Relu", "Relu6"}
_FOLDED_INTO: dict[str, tuple[Stage, ...]] = {
    "normalisation": ("linear",),
    "relu": ("linear", "normalised", "sum"),
}
_AFTER: dict[str, Stage | None] = {
    "linear": "linear",
    "normalisation": "normalised",
    "sum": "sum",
    # Float in every artifact.
    "softmax": None,
    "moving": None,
}


@dataclass
class QatCopy:
    """The copy, and which of its variables correspond to the original.

    Attributes:
        model: Same inputs and outputs as the original.
        twins: Each variable of the original with its counterpart in the copy.
        kernels: Variables of the copy that are int8 in the artifact, with the number of their last axes
            that are output channels, each with its own scale.
        normalisations: Batch normalisations of the copy.
        biases: Biases of the copy, with the layer that rounds the result of the addition.
        ranges: The rounding layers.
    """

    model: Any = None
    twins: list[tuple[Any, Any]] = field(default_factory=list)
    kernels: list[tuple[Any, int]] = field(default_factory=list)
    normalisations: list[Any] = field(default_factory=list)
    biases: list[tuple[Any, Any]] = field(default_factory=list)
    ranges: list[Any] = field(default_factory=list)


def copy_with_ranges(model: Any) -> QatCopy:
    """Copies a model, weights included.

    Args:
        model: A functional or sequential model that is built; nested models are copied as well.

    Raises:
        Exception: Whatever Keras raises for a layer it cannot copy.
    """
    return _Copier(load_keras()).whole(model)


class _Copier:
    """Builds one copy."""

    def __init__(self, keras: Any) -> None:
        self._keras = keras
        self._made = QatCopy()
        self._layers: dict[int, tuple[Any, Any]] = {}
        self._models: dict[int, Any] = {}
        self._activations: dict[int, Any] = {}
        self._stages: dict[int, Stage] = {}
        self._rounded: dict[int, Any] = {}
        self._behind: dict[int, Any] = {}
        self._rounds: dict[int, Any] = {}
        # Tensors are identified by their ids, so none may be freed.
        self._kept: list[Any] = []

    def whole(self, model: Any) -> QatCopy:
        made = self._made
        made.model = self._graph(model)
        for original, twin in self._layers.values():
            made.twins += zip(getattr(original, "weights", ()), getattr(twin, "weights", ()), strict=True)
            self._sort_weights(twin)
        for variable, twin in made.twins:
            twin.assign(variable)
        return made

    def _sort_weights(self, layer: Any) -> None:
        kind = type(layer).__name__
        if kind == _NORMALISATION:
            self._made.normalisations.append(layer)
        for name, axes in KERNELS.get(kind, {}).items():
            (kernel,) = (weight for weight in layer.weights if weight.name == name)
            self._made.kernels.append((kernel, axes))
        if kind in KERNELS and layer.use_bias:
            self._made.biases.append((layer.bias, self._rounds[id(layer)]))

    def _graph(self, model: Any) -> Any:
        keras = self._keras
        if isinstance(model, keras.Sequential):
            # Keras supports a call function for functional models only.
            model = keras.Model(model.inputs, model.outputs)
        copied = keras.models.clone_model(model, clone_function=self._twin, call_function=self._call)
        return keras.Model(copied.input, keras.tree.map_structure(self._round, copied.output))

    def _twin(self, layer: Any) -> Any:
        keras = self._keras
        if isinstance(layer, keras.Sequential | keras.Function):
            if id(layer) not in self._models:
                self._models[id(layer)] = self._graph(layer)
            return self._models[id(layer)]
        if id(layer) not in self._layers:
            config = layer.get_config()
            activation = getattr(layer, "activation", None)
            apart = type(layer).__name__ in KERNELS and not isinstance(activation, keras.layers.Layer)
            twin = type(layer).from_config({**config, "activation": "linear"} if apart else config)
            if apart and activation is not keras.activations.linear:
                self._activations[id(twin)] = activation
            self._layers[id(layer)] = layer, twin
        return self._layers[id(layer)][1]

    def _call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        tensors = [entry for entry in self._keras.tree.flatten((args, kwargs)) if self._is_tensor(entry)]
        before = self._stages.get(id(tensors[0])) if len(tensors) == 1 else None
        does = self._does(layer)
        folded = does == "nothing" or before in _FOLDED_INTO.get(does, ())
        if not folded:
            args, kwargs = self._keras.tree.map_structure(self._round, (args, kwargs))
        result = layer(*args, **kwargs)
        after: Stage | None = before if does == "nothing" else _AFTER.get(does, "whole")
        linear = layer if does == "linear" else self._behind.get(id(tensors[0])) if folded else None
        for entry in self._keras.tree.flatten(result):
            self._kept.append(entry)
            if after is not None:
                self._stages[id(entry)] = after
            if linear is not None:
                self._behind[id(entry)] = linear
        if id(layer) in self._activations:
            return self._call(self._keras.layers.Activation(self._activations[id(layer)]), result)
        return result

    def _round(self, entry: Any) -> Any:
        """A tensor as the artifact holds it, with one layer for all its readers."""
        if not self._is_tensor(entry) or id(entry) not in self._stages:
            return entry
        if id(entry) not in self._rounded:
            layer = range_layer()()
            self._made.ranges.append(layer)
            self._rounded[id(entry)] = layer(entry)
            if id(entry) in self._behind:
                self._rounds[id(self._behind[id(entry)])] = layer
        return self._rounded[id(entry)]

    def _is_tensor(self, entry: Any) -> bool:
        return isinstance(entry, self._keras.KerasTensor)

    def _does(self, layer: Any) -> str:
        keras, kind = self._keras, type(layer).__name__
        activation = layer.activation if kind == "Activation" else None
        if kind in _NOTHING_AT_INFERENCE or (kind == "Activation" and activation is keras.activations.linear):
            return "nothing"
        if kind == "Softmax" or activation is keras.activations.softmax:
            return "softmax"
        if kind == "ReLU":
            plain = layer.max_value in (None, 6) and not layer.negative_slope and not layer.threshold
            return "relu" if plain else "other"
        if kind in _RELUS or activation in (keras.activations.relu, keras.activations.relu6):
            return "relu"
        if (
            isinstance(layer, keras.Sequential | keras.Function)
            or kind in _SAME_NUMBERS
            or kind.startswith("Random")
        ):
            return "moving"
        if kind == _NORMALISATION:
            return "normalisation"
        if kind in _SUMS:
            return "sum"
        return "linear" if kind in KERNELS else "other"


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
    flat = ops.reshape(kernel, (-1, math.prod(kernel.shape[-axes:])))
    largest = ops.maximum(ops.stop_gradient(ops.max(ops.abs(flat), axis=0)), LEAST_WIDTH)
    rounded = keras.quantizers.fake_quant_with_min_max_vars(
        flat, -largest, largest, narrow_range=True, axis=1
    )
    return ops.reshape(rounded, kernel.shape)


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
