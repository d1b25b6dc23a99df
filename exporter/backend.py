"""The one door to TensorFlow and Keras: loaded at use, on the right backend, quietly."""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, ModelFileError, UsageError
from edge_runtime.native_output import quiet
from exporter.reasons import first_line
from trainer.run import register_layers

_CAUSE = re.compile(r"Could not locate \w+ '[^']{1,80}'|Requested the deserialization of a `Lambda` layer")
"""What Keras says of a model that holds code of its user."""


def load_tensorflow() -> Any:
    """Imports TensorFlow, its own log lines silenced.

    Raises:
        EnvironmentMissingError: It is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet():
            import tensorflow
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Exporting a model", "tensorflow", "export") from error
    return tensorflow


def load_keras() -> Any:
    """Imports Keras on its TensorFlow backend, whatever the model was trained on.

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
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras raises anything from zipfile, h5py, json and its own layers here.
        found = _CAUSE.search(str(error))
        # A class that is not known here comes wrapped in the model's whole configuration.
        reason = found.group(0) if found else first_line(error)
        cure = (
            "Run model.export(FOLDER) where it was made, and pass that SavedModel"
            if found
            else "Save or train it again"
        )
        raise ModelFileError(
            f"A full model must load in Keras. Received: {path} ({reason}). {cure}."
        ) from error
