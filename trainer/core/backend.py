"""Loads Keras at first use, quietly, on the chosen backend."""

from __future__ import annotations

import logging
import os
import sys
from importlib.util import find_spec
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError, UsageError, first_line
from edge_runtime.common.importing import large_import
from edge_runtime.common.native_output import quiet
from edge_runtime.common.tensorflow_settings import prepare_tensorflow
from edge_runtime.common.versions import BACKENDS, keras_backend


def chosen_backend() -> str:
    """Returns the backend that Keras is to run on, see :func:`~edge_runtime.common.versions.keras_backend`.

    Raises:
        UsageError: ``KERAS_BACKEND`` names an unknown backend.
    """
    chosen = keras_backend().name
    if chosen not in BACKENDS:
        *others, last = BACKENDS
        raise UsageError(
            f"KERAS_BACKEND must be {', '.join(others)} or {last}. Received: {chosen!r}. "
            "Set it to one of these or unset it."
        )
    return chosen


def training_extra() -> str:
    """The extra of snapship that brings what training needs on the chosen backend."""
    return BACKENDS[chosen_backend()]


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
    prepare_tensorflow()
    try:
        # TensorFlow prints at import, before it reads its log level.
        with quiet(), large_import(chosen):
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


def _missing(chosen: str, error: ImportError) -> EnvironmentMissingError:
    """What to tell of an import of Keras that failed."""
    package, extra = (error.name or "").partition(".")[0], BACKENDS[chosen]
    if package == chosen:
        others = [name for name in BACKENDS if name != chosen and find_spec(name) is not None]
        instead = f", or set KERAS_BACKEND={others[0]}" if others else ""
        return EnvironmentMissingError(
            f"The Keras backend must be installed. Received: {chosen}, which is not installed. "
            f"Run: pip install 'snapship[{extra}]'{instead}"
        )
    if isinstance(error, ModuleNotFoundError) and package:
        return EnvironmentMissingError.of_extra("Training", package, extra)
    return EnvironmentMissingError(
        f"Keras must load on {chosen}. Received: {first_line(error)}. Run: pip install 'snapship[{extra}]'"
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
