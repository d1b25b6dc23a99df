"""What is exported: a run folder, or a Keras file with its labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle import file_sha256
from edge_runtime.dataset import distinct_labels
from edge_runtime.errors import ModelFileError, RunError, UsageError
from edge_runtime.labels import check_count, parse_labels
from edge_runtime.native_output import quiet
from edge_runtime.spec import Fit, InputSpec
from exporter.backend import load_keras, load_keras_model
from exporter.precision import in_float32
from trainer.run import RunRecord, is_run, model_path, read_run

KERAS_SUFFIXES = (".keras", ".h5")


@dataclass(frozen=True)
class Source:
    """A full model that is known, but not loaded.

    Attributes:
        name: What to call its bundle.
        file: The model file.
        sha256: Hash of that file.
        architecture: Its architecture, or the file's name.
        labels: Class names; None where nothing says.
        fit: How images become the input's size.
        run: The run folder, if it is one.
        record: The run's record, if it is one.
    """

    name: str
    file: Path
    sha256: str
    architecture: str
    labels: tuple[str, ...] | None
    fit: Fit
    run: Path | None = None
    record: RunRecord | None = None


@dataclass(frozen=True)
class FullModel:
    """A full model in memory.

    Attributes:
        keras: The model; takes float32 ``[batch, height, width, channels]``, 0..255.
        input: Its input.
        classes: Length of its score vector.
    """

    keras: Any
    input: InputSpec
    classes: int


def find_source(
    path: str | os.PathLike[str], *, labels: str | os.PathLike[str] | None = None, fit: Fit = "stretch"
) -> Source:
    """Looks at a source without loading it.

    Args:
        path: A run folder, or a ``.keras`` or ``.h5`` file.
        labels: File of class names; a run folder has its own.
        fit: How images become the input's size; a run folder has its own.

    Raises:
        RunError: The folder is no run.
        UsageError: The file cannot be read or is of another kind, or a run came with labels.
        BundleError: The labels file holds no label.
    """
    place = Path(path)
    try:
        return _found(place, labels, fit)
    except OSError as error:
        raise UsageError(
            f"A source must be readable. Received: {place} ({error.strerror}). Check the path."
        ) from error


def _found(place: Path, labels: str | os.PathLike[str] | None, fit: Fit) -> Source:
    if place.is_dir() or is_run(place):
        record, file = read_run(place), model_path(place)
        if labels is not None:
            raise UsageError(
                f"A run folder brings its own labels. Received: {place} and --labels {os.fspath(labels)}. "
                "Leave --labels out."
            )
        return Source(
            record.name, file, file_sha256(file), record.model, record.labels, record.input.fit, place, record
        )
    if not place.exists():
        raise RunError(
            f"A source must exist. Received: {place}. Pass a run folder, or make one with: "
            "snapship train DATA --out RUN"
        )
    if place.suffix.lower() not in KERAS_SUFFIXES:
        raise UsageError(
            f"A source must be a run folder or a {' or '.join(KERAS_SUFFIXES)} file. Received: {place}. "
            "Save the model with model.save('NAME.keras')."
        )
    if not place.stat().st_size:
        raise ModelFileError(f"A model file must have content. Received: {place}, 0 bytes. Save it again.")
    names = None if labels is None else read_labels(labels)
    return Source(place.stem, place, file_sha256(place), place.name, names, fit)


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Reads a labels file.

    Args:
        path: Text, one class name a line.

    Raises:
        UsageError: It cannot be read.
        BundleError: It holds no label, or an empty one.
    """
    try:
        # As a data set names them, so that ImageNet's two cranes are told apart in both.
        return distinct_labels(parse_labels(Path(path).read_text(encoding="utf-8"), os.fspath(path)))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(
            f"A labels file must be readable text. Received: {os.fspath(path)} ({reason}). "
            "Pass a file with one class name a line."
        ) from error


def load_source(source: Source) -> FullModel:
    """Loads the full model and checks that it is a classifier on images.

    Args:
        source: What :func:`find_source` found.

    Raises:
        ModelFileError: Keras refuses the file, or the model is something else.
        BundleError: The labels do not match its outputs.
        EnvironmentMissingError: Keras or TensorFlow is not installed.
    """
    model = in_float32(load_keras_model(source.file))
    try:
        shapes = tuple(model.input_shape), tuple(model.output_shape)
    except (AttributeError, TypeError) as error:
        raise ModelFileError(
            f"A full model must be a functional or sequential Keras model with one input and one output. "
            f"Received: {source.file}. Wrap it as keras.Model(inputs, outputs)."
        ) from error
    taken, given = shapes
    fixed = len(taken) == 4 and all(isinstance(size, int) for size in taken[1:])
    if not fixed or taken[3] not in (1, 3) or len(given) != 2 or not isinstance(given[1], int):
        raise ModelFileError(
            "A full model must take [batch, height, width, 1 or 3] and return [batch, classes], sizes fixed. "
            f"Received: {list(taken)} -> {list(given)} in {source.file}. Build it with fixed sizes."
        )
    if source.labels is not None:
        check_count(source.labels, given[1])
    spec = InputSpec(height=taken[1], width=taken[2], channels=taken[3], fit=source.fit)
    _check_scores(model, spec, source.file)
    return FullModel(model, spec, given[1])


def _check_scores(model: Any, spec: InputSpec, file: Path) -> None:
    """One gray image tells logits from scores."""
    keras = load_keras()
    gray = np.full((1, *spec.shape), 127.0, dtype=np.float32)
    try:
        with quiet():
            total = float(keras.ops.convert_to_numpy(model(gray, training=False)).astype(np.float64).sum())
    except Exception as error:
        # Any layer may raise anything.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(
            f"A full model must run on one image. Received: {file} ({reason[:200]}). Fix the model."
        ) from error
    if not np.isfinite(total):
        raise ModelFileError(
            f"A full model must give numbers. Received: {total} on a gray image from {file}. Train it again."
        )
    if not abs(total - 1.0) <= 1e-3:
        raise ModelFileError(
            f"A classifier's scores must sum to 1. Received: {total:.4g} on a gray image from {file}. "
            "End the model with a softmax layer."
        )
