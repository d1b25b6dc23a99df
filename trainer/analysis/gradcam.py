"""Grad-CAM: where in an image the evidence for a class is, on any Keras backend.

Selvaraju et al. 2017 (arXiv 1610.02391), equations 1 and 2: the channels of the last
feature map are weighted by the mean gradient of the class's score before the softmax,
added up, and cut off below zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from trainer.analysis.layers import NothingToShowError, spatial_layers
from trainer.core.backend import load_keras


class GradCam:
    """Computes Grad-CAM from a model cut in two at its last feature map.

    Attributes:
        layer: Name of the layer that outputs the feature map.
    """

    def __init__(self, model: Any) -> None:
        """Cuts the model.

        Args:
            model: A ``keras.Model`` on raw pixels with one input and one output of class scores.

        Raises:
            NothingToShowError: No feature map contains everything that the scores depend on.
        """
        keras = load_keras()
        features, self._pick = _before_softmax(keras, model)
        candidates = spatial_layers(model)
        if not candidates:
            raise NothingToShowError("The model has no feature map in front of its pooling.")
        # Before a final pooling the map is finer; the paper uses the last convolution, too.
        pools = [layer for layer in candidates if "Pooling" in type(layer).__name__]
        others = [layer for layer in candidates if layer not in pools]
        for layer in [*reversed(others), *reversed(pools)]:
            try:
                self._body = keras.Model(model.input, layer.output)
                self._tail = keras.Model(layer.output, features)
            # A nested or branching model: the output is outside this graph, or is not a complete cut.
            except Exception:
                continue
            self.layer = str(layer.name)
            return
        raise NothingToShowError("No feature map of the model contains everything that its scores depend on.")

    def maps(self, image: UInt8Array) -> Float32Array:
        """Returns the last feature map.

        Args:
            image: uint8 ``[height, width, channels]``.

        Returns:
            float32 ``[rows, columns, features]``.
        """
        keras = load_keras()
        values = self._body(np.asarray(image, np.float32)[None], training=False)
        maps: Float32Array = keras.ops.convert_to_numpy(keras.ops.cast(values, "float32"))[0]
        return maps

    def heat(self, image: UInt8Array, label: int) -> Float32Array:
        """Returns the evidence for a class.

        Args:
            image: uint8 ``[height, width, channels]``.
            label: Index of the class.

        Returns:
            float32 ``[rows, columns]`` of the feature map, 0 and above, in units of the
            class's score before the softmax.
        """
        maps = self.maps(image)
        gradient = input_gradient(self._tail, maps[None], lambda output: self._pick(output, label))[0]
        weights = gradient.mean(axis=(0, 1))
        evidence: Float32Array = np.maximum((maps * weights).sum(axis=2), np.float32(0))
        return evidence


def _before_softmax(keras: Any, model: Any) -> tuple[Any, Callable[[Any, int], Any]]:
    """The tensor from which a class's score before the softmax is computed, and how."""
    ops = keras.ops

    def column(output: Any, label: int) -> Any:
        return ops.sum(ops.cast(output, "float32")[:, label])

    last = model.layers[-1]
    softmax = getattr(keras.activations, "softmax", None)
    kind = type(last).__name__
    if kind == "Dense" and last.activation is softmax and len(last.input.shape) == 2:

        def logit(output: Any, label: int) -> Any:
            kernel = ops.cast(ops.convert_to_tensor(last.kernel), "float32")
            # The bias has no gradient.
            return ops.sum(ops.matmul(ops.cast(output, "float32"), kernel[:, label : label + 1]))

        return last.input, logit
    if kind == "Softmax" or (kind == "Activation" and last.activation is softmax):
        return last.input, column
    return model.output, column


def input_gradient(model: Any, values: Float32Array, pick: Callable[[Any], Any]) -> Float32Array:
    """Returns the gradient of ``pick(model(values))`` with respect to ``values``, in inference mode.

    Args:
        model: A ``keras.Model`` with one input and one output.
        values: The model's input, float32.
        pick: Maps the model's output, a tensor of the backend, to a scalar tensor; may use
            ``keras.ops``.

    Returns:
        float32, shaped as ``values``.
    """
    backend = load_keras().backend.backend()
    return _BY_BACKEND[backend](model, values, pick)


def _tensorflow(model: Any, values: Float32Array, pick: Callable[[Any], Any]) -> Float32Array:
    import tensorflow

    with tensorflow.GradientTape() as tape:
        entry = tensorflow.constant(values)
        tape.watch(entry)
        target = pick(model(entry, training=False))
    return np.asarray(tape.gradient(target, entry), np.float32)


def _torch(model: Any, values: Float32Array, pick: Callable[[Any], Any]) -> Float32Array:
    import torch

    keras = load_keras()
    with torch.enable_grad():
        entry = keras.ops.convert_to_tensor(values).detach().requires_grad_(True)
        target = pick(model(entry, training=False))
        (gradient,) = torch.autograd.grad(target, entry)
    return np.asarray(gradient.detach().cpu().float().numpy(), np.float32)


def _jax(model: Any, values: Float32Array, pick: Callable[[Any], Any]) -> Float32Array:
    import jax

    trainable = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]

    def target(entry: Any) -> Any:
        output, _ = model.stateless_call(trainable, fixed, entry, training=False)
        return pick(output)

    return np.asarray(jax.grad(target)(jax.numpy.asarray(values)), np.float32)


_BY_BACKEND: dict[str, Callable[[Any, Float32Array, Callable[[Any], Any]], Float32Array]] = {
    "tensorflow": _tensorflow,
    "torch": _torch,
    "jax": _jax,
}
