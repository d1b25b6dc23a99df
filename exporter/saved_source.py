"""Reads a SavedModel as a full model: which of its signatures takes an image and gives scores."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import ModelFileError
from edge_runtime.native_output import quiet
from exporter.backend import load_tensorflow
from exporter.reasons import first_line, has_operation, outside_operations

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
"""Either of them makes a folder a SavedModel."""

SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Opened:
    """A model that is loaded, but not yet known to be a classifier.

    Attributes:
        keras: The Keras model; None for a SavedModel.
        call: TensorFlow tensor float32 ``[batch, height, width, channels]`` -> float tensor.
        taken: Shape of its input, None where a size is free.
        given: Shape of its output, None where a size is free.
        fake_quantized: Whether a SavedModel rounds its tensors as quantization-aware training does.
    """

    keras: Any | None
    call: Callable[[Any], Any]
    taken: tuple[int | None, ...]
    given: tuple[int | None, ...]
    fake_quantized: bool = False


def is_saved_model(path: Path) -> bool:
    """Whether a path is a SavedModel's folder; nothing is loaded."""
    return any((path / name).is_file() for name in SAVED_MODEL_FILES)


def open_saved_model(folder: Path) -> Opened:
    """Loads a SavedModel and finds its image and its scores.

    Args:
        folder: The SavedModel.

    Raises:
        EnvironmentMissingError: TensorFlow is not installed.
        ModelFileError: It does not load, or has no signature with one image in and one tensor of numbers out.
    """
    tensorflow = load_tensorflow()
    try:
        with quiet():
            loaded = tensorflow.saved_model.load(os.fspath(folder))
    except Exception as error:
        # TensorFlow raises anything from its C++ side and from protobuf here.
        raise ModelFileError(
            f"A SavedModel must load in TensorFlow. Received: {folder} ({first_line(error)}). Save it again."
        ) from error
    signatures = dict(getattr(loaded, "signatures", {}))
    function = signatures.get(SIGNATURE) or (
        next(iter(signatures.values())) if len(signatures) == 1 else None
    )
    if function is None:
        raise ModelFileError(
            f"A SavedModel must have the signature {SIGNATURE}. Received: {folder} with "
            f"{', '.join(sorted(signatures)) or 'none'}. Save it with model.export(FOLDER)."
        )
    outside = outside_operations(function.graph)
    if outside:
        # Keras' export leaves augmentation in: its answers would change from call to call.
        raise ModelFileError(
            f"A SavedModel must be arithmetic on tensors. Received: {folder} with {outside}: random numbers, a "
            "lookup table or Python code. Save it without, or pass the .keras file."
        )
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    if len(inputs) != 1 or not isinstance(outputs, dict) or len(outputs) != 1:
        count = len(outputs) if isinstance(outputs, dict) else 1
        raise ModelFileError(
            f"A full model must have one input and one output. Received: {folder} with {len(inputs)} inputs, "
            f"{count} outputs. Save one that takes an image and gives scores."
        )
    (name, taken), (given_name, given) = next(iter(inputs.items())), next(iter(outputs.items()))
    if not taken.dtype.is_floating or not given.dtype.is_floating:
        raise ModelFileError(
            f"A SavedModel must take a float image and give float scores. Received: {folder} with "
            f"{taken.dtype.name} {_sizes(taken.shape)} -> {given.dtype.name} {_sizes(given.shape)}. "
            "Save it without decoding and without post-processing."
        )

    def call(image: Any) -> Any:
        # `loaded` owns the variables, and a signature holds them weakly.
        assert loaded is not None
        return function(**{name: tensorflow.cast(image, taken.dtype)})[given_name]

    rounds = has_operation(function.graph, "FakeQuant")
    return Opened(None, call, _sizes(taken.shape), _sizes(given.shape), rounds)


def _sizes(shape: Any) -> tuple[int | None, ...]:
    return () if shape.rank is None else tuple(shape.as_list())
