"""Training steps on one batch that is already on the device: the upper limit for any feeding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def device_loop(keras: Any, model: Any, x: dict[str, Any], y: Any) -> Callable[[int], None]:
    """Returns a function that trains for a number of steps and waits for the last.

    Args:
        keras: The keras module.
        model: A compiled and built ``keras.Model``.
        x: One batch of its inputs, NumPy arrays.
        y: Its labels.
    """
    batch = {name: keras.ops.convert_to_tensor(value) for name, value in x.items()}
    labels = keras.ops.convert_to_tensor(y)
    loops = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    return loops[keras.backend.backend()](model, (batch, labels))


def _tensorflow(model: Any, data: Any) -> Callable[[int], None]:
    import tensorflow

    step = tensorflow.function(lambda: model.train_step(data), jit_compile=bool(model.jit_compile))

    def run(steps: int) -> None:
        for _ in range(steps):
            step()
        # Reading a value waits for the steps before it.
        model.optimizer.iterations.numpy()

    return run


def _jax(model: Any, data: Any) -> Callable[[int], None]:
    import jax

    step = jax.jit(model.train_step, donate_argnums=0)
    kept: list[Any] = []

    def run(steps: int) -> None:
        # Donated buffers are gone: copies, so that the model keeps its own.
        state = kept.pop() if kept else jax.tree.map(lambda value: value + 0, _state(model))
        for _ in range(steps):
            _, state = step(state, data)
        jax.block_until_ready(state)
        kept.append(state)

    return run


def _state(model: Any) -> Any:
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return tuple([variable.value for variable in group] for group in groups)


def _torch(model: Any, data: Any) -> Callable[[int], None]:
    import torch

    def run(steps: int) -> None:
        model.train()
        for _ in range(steps):
            model.train_step(data)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return run
