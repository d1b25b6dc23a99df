"""Keras, loaded at first use, quiet, on the backend that was chosen, with a cure when one is missing."""

from __future__ import annotations

import json
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, UsageError, first_line
from edge_runtime.native_output import quiet

BACKENDS = ("tensorflow", "jax", "torch")
"""What ``KERAS_BACKEND`` may name; the first one that is installed is the default."""

EXTRAS = {"tensorflow": "train", "jax": "train-jax", "torch": "train-torch"}
"""The extra of snapship that brings each backend."""


def chosen_backend() -> str:
    """Returns the backend that Keras is to run on; loads nothing.

    ``KERAS_BACKEND`` decides, then a ``keras.json`` that names another one than TensorFlow, then
    what is installed. Keras itself writes "tensorflow" into that file, so there it says nothing.

    Raises:
        UsageError: ``KERAS_BACKEND`` names something else.
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
    """The extra of snapship that brings what training needs on the chosen backend."""
    return EXTRAS[chosen_backend()]


def load_keras() -> Any:
    """Returns the keras module, on the backend that it has or on :func:`chosen_backend`.

    Off TensorFlow, TensorFlow is not imported either, even where it is installed, unless the
    caller imported Keras first.

    Raises:
        UsageError: ``KERAS_BACKEND`` names something else.
        EnvironmentMissingError: Keras or its backend is not installed, or does not load.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None:
        return loaded
    chosen = chosen_backend()
    os.environ["KERAS_BACKEND"] = chosen
    # 3 leaves fatal errors; failures still arrive as exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        # TensorFlow writes lines at import, before it reads its log level.
        with quiet():
            import keras
    except ImportError as error:
        raise _missing(chosen, error) from error
    if chosen == "tensorflow":
        # It warns of retracing when one process builds several models, as training does.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    else:
        _leave_tensorflow_alone()
    return keras


def compile_options(keras: Any) -> dict[str, Any]:
    """Options of ``model.compile`` that suit this machine.

    On JAX and PyTorch Keras' own choice is left: JAX is unusably slow uncompiled; PyTorch runs
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
    """What ``keras.json`` names, in the folder where Keras looks for it; empty for nothing."""
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        stored = json.loads((Path(home) / "keras.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(stored.get("backend", "")) if isinstance(stored, dict) else ""


def _missing(chosen: str, error: ImportError) -> EnvironmentMissingError:
    """What to tell of an import of Keras that failed."""
    package, extra = (error.name or "").partition(".")[0], EXTRAS[chosen]
    if package == chosen:
        others = [name for name in BACKENDS if name != chosen and find_spec(name) is not None]
        instead = f", or set KERAS_BACKEND={others[0]}" if others else ""
        return EnvironmentMissingError(
            f"The Keras backend must be installed. Received: {chosen}, which is not. "
            f"Run: pip install 'snapship[{extra}]'{instead}"
        )
    if isinstance(error, ModuleNotFoundError) and package:
        return EnvironmentMissingError.of_extra("Training", package, extra)
    return EnvironmentMissingError(
        f"Keras must load on {chosen}. Received: {first_line(error)}. Run: pip install 'snapship[{extra}]'"
    )


def _leave_tensorflow_alone() -> None:
    """Tells Keras that TensorFlow is not there.

    On any backend Keras imports an installed TensorFlow to seed it, and to ask of each value that
    it saves whether it is one of TensorFlow's: seconds, and hundreds of megabytes, for nothing.
    """
    from keras.src.utils import module_utils

    for name in ("tensorflow", "gfile"):
        lazy: Any = getattr(module_utils, name, None)
        # Keras has no public switch; without this one training still works, with the import.
        if hasattr(type(lazy), "available"):
            lazy._available = False
