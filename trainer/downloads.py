"""Downloads known data sets with Keras to where ``edge_runtime.dataset`` looks for them."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.dataset import ARRAY_NAMES, array_file
from edge_runtime.errors import EnvironmentMissingError, first_line
from edge_runtime.temporary import temporary_file
from trainer.backend import load_keras
from trainer.progress import Event, Progress, silent


def ensure_downloaded(data: str | os.PathLike[str], progress: Progress = silent) -> None:
    """Downloads a known data set once; does nothing for any other data.

    Args:
        data: The user's DATA argument.
        progress: Progress callback, called when a download starts.

    Raises:
        EnvironmentMissingError: Keras or the network is missing, or the cache cannot be written.
    """
    name = os.fspath(data)
    if name not in ARRAY_NAMES or array_file(name).is_file():
        return
    progress(Event("data", 0, 0, f"downloading {name}"))
    keras = load_keras()
    source = importlib.import_module(f"{keras.__name__}.datasets.{name}")
    try:
        # Keras prints its progress bar to stdout, which is reserved for results.
        with redirect_stdout(sys.stderr):
            (x_train, y_train), (x_test, y_test) = source.load_data()
    # Keras raises a bare Exception when a download fails.
    except Exception as error:
        raise EnvironmentMissingError(
            f"The data set {name} must be downloaded once. Received: {first_line(error)}. "
            "Connect to a network, or use digits or your own folder."
        ) from error
    _store(array_file(name), {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test})


def _store(path: Path, arrays: dict[str, Any]) -> None:
    """Writes the file atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path.parent) as made:
            np.savez_compressed(made.file, **arrays)
            made.move_to(path)
    except OSError as error:
        raise EnvironmentMissingError(
            f"The data cache must be writable. Received: {path.parent} ({error.strerror or error}). "
            "Free some space or set XDG_CACHE_HOME to another folder."
        ) from error
