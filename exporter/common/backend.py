"""Imports TensorFlow and Keras at use, on the right backend and without their log output."""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, UsageError, first_line
from edge_runtime.common.importing import large_import
from edge_runtime.common.native_output import quiet
from edge_runtime.common.tensorflow_settings import prepare_tensorflow
from exporter.common.keras2 import for_keras3
from trainer.run.run_json import register_layers

_CAUSE = re.compile(
    r"Could not locate \w+ '[^']{1,80}'|Requested the deserialization of a `Lambda` layer"
    r"|Unknown layer: '[^']{1,80}'|Could not deserialize '[^']{1,80}'"
    r"|Could not deserialize class '[^']{1,80}' because its parent module \S{1,80}"
    r"|Unrecognized keyword arguments passed to \w{1,80}: \{'\w{1,80}'"
    r"|\w{1,80}\.__init__\(\) got an unexpected keyword argument '\w{1,80}'"
    r"|No model config found in the file"
)
"""Keras' messages about models with unknown parts: user code, or a layer that was removed."""

_QUANTIZED = re.compile(r"'(?:\w+>)?Quantize\w*'")
"""The classes of TensorFlow Model Optimization's quantization-aware training."""


def load_tensorflow() -> Any:
    """Imports TensorFlow with its logging silenced, and the kernels that training has.

    Raises:
        EnvironmentMissingError: It is not installed.
    """
    loaded = sys.modules.get("tensorflow")
    if loaded is not None:
        return loaded
    prepare_tensorflow()
    try:
        with quiet(), large_import():
            import tensorflow
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Exporting a model", "tensorflow", "export") from error
    return tensorflow


def load_keras() -> Any:
    """Imports Keras on its TensorFlow backend, whichever backend the model was trained on.

    Raises:
        EnvironmentMissingError: Keras or TensorFlow is not installed.
        UsageError: The process already runs Keras on another backend.
    """
    if "keras" not in sys.modules:
        # Before TensorFlow, which imports Keras.
        os.environ["KERAS_BACKEND"] = "tensorflow"
    load_tensorflow()
    try:
        with quiet():
            import keras
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Exporting a model", "keras", "export") from error
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UsageError(
            f"An export runs on Keras' TensorFlow backend. Received: this process runs it on {backend}. "
            "Export in a process of its own, with: snapship export"
        )
    return keras


def load_keras_model(path: Path) -> Any:
    """Loads a full model; code inside the file is not run.

    Args:
        path: A ``.keras`` or ``.h5`` file.

    Raises:
        ModelFileError: Keras refuses the file.
    """
    keras = load_keras()
    register_layers()
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with for_keras3(path) as file:
                return keras.models.load_model(file, compile=False, safe_mode=True)
    except ModelFileError:
        raise
    except Exception as error:
        # Keras raises anything from zipfile, h5py, json and its own layers here.
        # The cause comes wrapped in the model's whole configuration, the innermost last.
        causes = _CAUSE.findall(str(error))
        reason = causes[-1].replace("{", "") if causes else first_line(error)
        raise ModelFileError(
            f"A full model must load in Keras. Received: {path} ({reason}). {_cure(causes)}."
        ) from error


def _cure(causes: list[str]) -> str:
    if not causes:
        return "Save or train it again"
    if causes[-1].startswith("No model config"):
        return "It holds weights alone: save the whole model with model.save('NAME.keras')"
    if any(_QUANTIZED.search(cause) for cause in causes):
        return "It was quantized in training: export the float model; snapship quantizes by itself"
    return (
        "Run model.export(FOLDER) where it was made (TensorFlow before 2.13: model.save(FOLDER)), and pass "
        "that SavedModel"
    )
