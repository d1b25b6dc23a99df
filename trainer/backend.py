"""Loads Keras at first use, quietly, on the chosen backend."""

from __future__ import annotations

import json
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, UsageError
from edge_runtime.native_output import quiet

BACKENDS = ("tensorflow", "jax", "torch")
"""Allowed values of ``KERAS_BACKEND``; the first installed one is the default."""

EXTRAS = {"tensorflow": "train", "jax": "train-jax", "torch": "train-torch"}
"""The extra of snapship that installs each backend."""


def chosen_backend() -> str:
    """Returns the backend that Keras will run on; loads nothing.

    ``KERAS_BACKEND`` takes precedence, then a ``keras.json`` that names a backend other than
    TensorFlow, then what is installed. "tensorflow" in that file means nothing: Keras writes it
    there by default.

    Raises:
        UsageError: ``KERAS_BACKEND`` names an unknown backend.
    """
    named = os.environ.get("KERAS_BACKEND", "")
    if named and named not in BACKENDS:
        raise UsageError(
            f"KERAS_BACKEND must be {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}. Received: {named!r}. "
            "Set it to one of these or unset it."
        )
    stored = _stored_backend()
    if named or stored in BACKENDS[1:]:
        return named or stored
    return next((name for name in BACKENDS if find_spec(name) is not None), BACKENDS[0])


def training_extra() -> str:
    """Returns the extra of snapship that installs what training needs on the chosen backend."""
    return EXTRAS[chosen_backend()]


def load_keras() -> Any:
    """Returns the keras module, on its current backend or else on :func:`chosen_backend`.

    On JAX and PyTorch, an installed TensorFlow is not imported, unless the caller imported Keras
    first.

    Raises:
        UsageError: ``KERAS_BACKEND`` names an unknown backend.
        EnvironmentMissingError: Keras or its backend is not installed or does not load.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None:
        return loaded
    chosen = chosen_backend()
    os.environ["KERAS_BACKEND"] = chosen
    # 3 logs only fatal errors; failures still raise exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        # TensorFlow prints at import, before it reads its log level.
        with quiet():
            import keras
    except ImportError as error:
        raise _missing(chosen, error) from error
    if chosen == "tensorflow":
        # It warns about retracing when a process builds several models, as training does.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    else:
        _leave_tensorflow_alone()
    return keras


def compile_options(keras: Any) -> dict[str, Any]:
    """Returns options of ``model.compile`` that suit this machine.

    On JAX and PyTorch they are Keras' defaults: JAX is unusably slow uncompiled; PyTorch runs
    eagerly, since ``torch.compile`` needs a C++ compiler or Triton on the machine.

    Args:
        keras: The keras module.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # XLA makes TensorFlow four times slower on a CPU and takes minutes to compile.
        return {"jit_compile": "auto" if tensorflow.config.list_physical_devices("GPU") else False}
    return {}


def _stored_backend() -> str:
    """Returns the backend in ``keras.json``, where Keras looks for it; empty without one."""
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        stored = json.loads((Path(home) / "keras.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(stored.get("backend", "")) if isinstance(stored, dict) else ""


def _missing(chosen: str, error: ImportError) -> EnvironmentMissingError:
    """Returns the error for a failed import of Keras."""
    package, extra = (error.name or "").partition(".")[0], EXTRAS[chosen]
    if package == chosen:
        others = [name for name in BACKENDS if name != chosen and find_spec(name) is not None]
        instead = f", or set KERAS_BACKEND={others[0]}" if others else ""
        return EnvironmentMissingError(
            f"The Keras backend must be installed. Received: {chosen}, which is not installed. "
            f"Run: pip install 'snapship[{extra}]'{instead}"
        )
    if isinstance(error, ModuleNotFoundError) and package:
        return EnvironmentMissingError.of_extra("Training", package, extra)
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return EnvironmentMissingError(
        f"Keras must load on {chosen}. Received: {reason[:200]}. Run: pip install 'snapship[{extra}]'"
    )


def _leave_tensorflow_alone() -> None:
    """Makes Keras treat TensorFlow as not installed.

    On any backend Keras imports an installed TensorFlow to seed it, and to check every saved
    value for TensorFlow types: seconds and hundreds of megabytes for nothing.
    """
    from keras.src.utils import module_utils

    for name in ("tensorflow", "gfile"):
        lazy: Any = getattr(module_utils, name, None)
        # Keras has no public switch; without this attribute training still works, with the import.
        if hasattr(type(lazy), "available"):
            lazy._available = False
