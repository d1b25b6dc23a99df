"""Keras, loaded at first use, quiet, and with a cure when it is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, UsageError

BACKENDS = ("tensorflow", "jax", "torch")
"""What ``KERAS_BACKEND`` may name."""


def load_keras() -> Any:
    """Returns the keras module on the backend that ``KERAS_BACKEND`` names, TensorFlow by default.

    Raises:
        UsageError: ``KERAS_BACKEND`` names something else.
        EnvironmentMissingError: Keras or its backend is not installed.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    if chosen not in BACKENDS:
        raise UsageError(
            f"KERAS_BACKEND must be {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}. Received: {chosen!r}. "
            "Set it to one of these or unset it."
        )
    # 3 leaves fatal errors; failures still arrive as exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _muted_stderr():
            import keras
    except ImportError as error:
        package = (error.name or "keras").partition(".")[0]
        if package == chosen and chosen != "tensorflow":
            raise EnvironmentMissingError(
                f"KERAS_BACKEND must name an installed package. Received: {chosen}, which is not. "
                f"Run: pip install {chosen}, or unset KERAS_BACKEND."
            ) from error
        raise EnvironmentMissingError.of_extra("Training", package, "train") from error
    return keras


def compile_options(keras: Any) -> dict[str, Any]:
    """Options of ``model.compile`` that suit this machine.

    Args:
        keras: The keras module.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # XLA makes TensorFlow four times slower on a CPU and takes minutes to compile.
        return {"jit_compile": "auto" if tensorflow.config.list_physical_devices("GPU") else False}
    return {}


@contextmanager
def _muted_stderr() -> Iterator[None]:
    """Mutes the lines that TensorFlow's C++ side writes at import, before it reads its log level."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        sys.stderr.flush()
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
