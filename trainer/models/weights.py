"""Weights files: validate, detect the head, load."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from edge_runtime.bundle.bundle import file_sha256
from edge_runtime.common.errors import EnvironmentMissingError, UsageError, first_line
from trainer.core.backend import training_extra
from trainer.models.catalog import info
from trainer.models.saved_model import SAVED_MODEL_FILES, check_saved_model

HEAD_LAYERS = frozenset({"predictions", "Logits", "dense"})
"""Names of the classifier layer in the HDF5 files of Keras 2, TF-Slim and Keras 3."""

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUFFIXES = (".h5", ".hdf5")


def check_weights_file(path: str | os.PathLike[str]) -> Path:
    """Checks that a path looks like a Keras weights file, without loading it.

    Args:
        path: The user's path.

    Returns:
        The path.

    Raises:
        UsageError: The file is missing, a folder, empty or not HDF5.
    """
    file = Path(path)
    if not file.exists():
        raise UsageError(
            f"weights must be imagenet, none or an existing .h5 file. Received: {os.fspath(path)}. "
            "Check the path."
        )
    if not file.is_file():
        raise UsageError(f"weights must be a file. Received: the folder {file}. Pass the .h5 file in it.")
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_HDF5_SIGNATURE))
    except OSError as error:
        raise UsageError(
            f"A weights file must be readable. Received: {file} ({error.strerror}). Check its permissions."
        ) from error
    known = head == _HDF5_SIGNATURE
    if not known or file.suffix.lower() not in _SUFFIXES:
        what = "another suffix" if known else f"{file.stat().st_size:,} bytes of another format"
        raise UsageError(
            f"A weights file must be HDF5 named .weights.h5 or .h5. Received: {file}, {what}. "
            "Save it with Keras' model.save_weights."
        )
    return file


def check_weights(model: str, weights: str | os.PathLike[str]) -> Path:
    """Checks that a path looks like weights for the architecture, without loading it.

    Args:
        model: One of :func:`trainer.models.names`.
        weights: The user's path, neither ``imagenet`` nor ``none``.

    Returns:
        The path.

    Raises:
        UsageError: The file is missing or invalid; for a frozen backbone, not a SavedModel folder.
    """
    return check_saved_model(weights) if info(model).frozen else check_weights_file(weights)


def weights_sha256(weights: str | os.PathLike[str]) -> str:
    """Returns the hash of a weights file, or of the names and contents of a SavedModel folder.

    Args:
        weights: The file or the folder; a SavedModel may also be given by its ``saved_model.pb``.

    Raises:
        OSError: It does not exist or cannot be read.
    """
    place = Path(weights)
    if place.name in SAVED_MODEL_FILES:
        place = place.parent
    if not place.is_dir():
        return file_sha256(place)
    found = sorted(entry for entry in place.rglob("*") if entry.is_file())
    lines = [f"{entry.relative_to(place).as_posix()} {file_sha256(entry)}" for entry in found]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def has_head(weights: str | os.PathLike[str], classes: int) -> bool:
    """Whether the weights include a head.

    Args:
        weights: ``imagenet`` or a path.
        classes: Outputs of the model to build; ``imagenet`` has a head for 1000 classes.

    Raises:
        UsageError: The path is not a weights file.
    """
    if weights == "imagenet":
        return classes == 1000
    file = check_weights_file(weights)
    try:
        # Typed as Any: the package has no type hints.
        h5py: Any = importlib.import_module("h5py")
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Reading weights", "h5py", training_extra()) from error
    try:
        with h5py.File(file, "r") as stored:
            names = set(stored["layers"]) if "layers" in stored else set(stored)
            found = bool(names & HEAD_LAYERS) or _has_imagenet_bias(h5py, stored)
    except (OSError, KeyError, RuntimeError) as error:
        raise _misfit(file, error) from error
    return found


def _has_imagenet_bias(h5py: Any, stored: Any) -> bool:
    """Whether any array has one value per ImageNet class: MobileNetV3's head is a convolution."""
    found = stored.visititems(
        lambda _, entry: True if isinstance(entry, h5py.Dataset) and entry.shape == (1000,) else None
    )
    return bool(found)


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Loads a file into a model of the same architecture.

    Args:
        model: A ``keras.Model``.
        path: The weights file.

    Raises:
        UsageError: The file is damaged, or for another architecture or width.
    """
    try:
        with warnings.catch_warnings():
            # For a file that does not fit, Keras warns once per layer, then raises; the error is enough.
            warnings.simplefilter("ignore")
            model.load_weights(os.fspath(path))
    except (ValueError, OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise _misfit(path, error) from error


def copy_imagenet(model: Any, application: Any, **options: Any) -> None:
    """Downloads published weights and copies them into a model of the same architecture.

    Args:
        model: A ``keras.Model``.
        application: The function of ``keras.applications`` that downloads the weights.
        options: Its other arguments.

    Raises:
        EnvironmentMissingError: The weights could not be downloaded.
    """
    try:
        # Keras prints its progress bar to stdout, which is reserved for results.
        with redirect_stdout(sys.stderr):
            published = application(weights="imagenet", **options)
    # Keras raises a bare Exception when a download fails.
    except Exception as error:
        raise EnvironmentMissingError(
            f"weights=imagenet must be downloaded once. Received: {first_line(error)}. "
            "Connect to a network, or pass --weights FILE or --weights none."
        ) from error
    model.set_weights(published.get_weights())


def _misfit(path: str | os.PathLike[str], error: Exception) -> UsageError:
    return UsageError(
        f"A weights file must fit the model and its width. Received: {os.fspath(path)} ({first_line(error)}). "
        "Pass a file for this architecture, or weights=none."
    )
