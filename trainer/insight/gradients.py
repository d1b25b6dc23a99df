"""The gradient of a scalar with respect to a model's input, on any Keras backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_runtime.result import Float32Array
from trainer.backend import load_keras


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
