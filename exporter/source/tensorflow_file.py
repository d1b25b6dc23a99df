"""Loads Keras files and SavedModels: the full models of exports, and either side of a comparison.

A model trained in mixed precision computes in float32 from here on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from edge_runtime.common.errors import ModelFileError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.base import check_single_tensors
from edge_runtime.engines.result import Float32Array
from exporter.common.backend import load_keras, load_keras_model, load_tensorflow
from exporter.common.wording import has_operation, outside_operations
from exporter.formats.flatbuffer import SIGNATURE
from exporter.formats.sigmoid_outputs import keras_end, single_output
from exporter.source.input_range import InputRange, scaling
from exporter.source.loaded_model import LoadedModel, image_of, scores_of

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
"""Either of them makes a folder a SavedModel."""

_Sizes: TypeAlias = tuple[int | None, ...]
_Opened: TypeAlias = tuple[Any | None, Callable[[Any], Any], _Sizes, _Sizes, str]
"""The Keras model or None; the function as it is in the file; the sizes of its input and output, None
where one is free; and what quantized it, empty for a float model."""


def is_saved_model(path: Path) -> bool:
    """Whether a path is a SavedModel's folder; nothing is loaded."""
    return any((path / name).is_file() for name in SAVED_MODEL_FILES)


def load_tensorflow_file(path: Path, input_range: InputRange, *, strict: bool = False) -> LoadedModel:
    """Loads a ``.keras`` or ``.h5`` file, or a SavedModel.

    Args:
        path: The file or folder.
        input_range: The pixel range it expects.
        strict: Refuse what an export cannot convert: a quantized model, channels first, free sizes or
            a fixed batch.

    Raises:
        EnvironmentMissingError: Keras or TensorFlow is not installed.
        ModelFileError: It does not load, or is not an image classifier.
        UsageError: The range is for colour, and the model takes gray images.
    """
    tensorflow = load_tensorflow()
    keras, function, taken, given, quantized = (
        _open_saved_model(path) if is_saved_model(path) else _open_keras(path)
    )
    if strict:
        _check_convertible(path, taken, given, quantized)
    (image, first), output = image_of(path, taken), scores_of(path, given)
    scaled, classes = scaling(input_range, int(image.shape[3])), output.shape[1]

    def call(pixels: Any) -> Any:
        seen = scaled(tensorflow.cast(pixels, tensorflow.float32))
        seen = tensorflow.transpose(seen, (0, 3, 1, 2)) if first else seen
        scores = tensorflow.cast(function(seen), tensorflow.float32)
        return scores if len(given) == 2 else tensorflow.reshape(scores, (-1, classes))

    traced = tensorflow.function(call, autograph=False)

    def outputs(batch: Any) -> Float32Array:
        try:
            with quiet():
                found: Float32Array = traced(tensorflow.constant(batch))[0].numpy()
        except Exception as error:
            # Any layer may raise anything.
            raise ModelFileError(
                f"A full model must run on one image. Received: {path} ({first_line(error)}). Fix the model."
            ) from error
        return found

    return LoadedModel(
        path,
        "tensorflow",
        input_range,
        image,
        output,
        outputs,
        call=call if taken[0] is None else None,
        keras=keras,
        end="unknown" if keras is None else keras_end(keras),
    )


def _check_convertible(path: Path, taken: _Sizes, given: _Sizes, quantized: str) -> None:
    if quantized:
        # Comparing with it would hide what its quantization cost.
        raise ModelFileError(
            f"A full model must compute in float. Received: {path}, quantized by {quantized}. Export the float model "
            "that it was made from; snapship quantizes by itself."
        )
    if len(given) == 2 and given[1] == 1:
        raise single_output(path, f"[{'any' if given[0] is None else given[0]}, 1]")
    height, width, channels = taken[1:] if len(taken) == 4 else (None, None, None)
    if height is None or width is None or channels not in (1, 3) or len(given) != 2 or given[1] is None:
        raise ModelFileError(
            "A full model must take [batch, height, width, 1 or 3] and return [batch, classes], sizes fixed. "
            f"Received: {list(taken)} -> {list(given)} in {path}. Build it with fixed sizes."
        )
    if taken[0] is not None:
        raise ModelFileError(
            f"A full model must take any number of images. Received: a batch of {taken[0]} in {path}. "
            "Save it with a free batch dimension."
        )


def _open_keras(file: Path) -> _Opened:
    model = in_float32(load_keras_model(file))
    try:
        inputs, outputs = model.inputs, model.outputs
        check_single_tensors(len(inputs), len(outputs), str(file))
        taken, given = tuple(inputs[0].shape), tuple(outputs[0].shape)
    except (AttributeError, TypeError) as error:
        raise ModelFileError(
            f"A full model must be a functional or sequential Keras model with one input and one output. "
            f"Received: {file}. Wrap it as keras.Model(inputs, outputs)."
        ) from error
    modes = {
        str(mode) for layer in model._flatten_layers() if (mode := getattr(layer, "quantization_mode", None))
    }
    quantized = f"model.quantize({min(modes)!r})" if modes else ""
    return model, lambda image: model(image, training=False), taken, given, quantized


def _open_saved_model(folder: Path) -> _Opened:
    """Loads a SavedModel and finds the signature that takes an image and returns scores."""
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
    check_single_tensors(len(inputs), len(outputs) if isinstance(outputs, dict) else 0, str(folder))
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

    rounds = "quantization-aware training" if has_operation(function.graph, "FakeQuant") else ""
    return None, call, _sizes(taken.shape), _sizes(given.shape), rounds


def _sizes(shape: Any) -> _Sizes:
    return () if shape.rank is None else tuple(shape.as_list())


def in_float32(model: Any) -> Any:
    """Returns the model with every layer computing in float32.

    The converters have no float16 or bfloat16 form of every operation. Mixed precision
    keeps float32 weights, so nothing is lost.

    Args:
        model: A Keras model.

    Returns:
        The model itself if it already computes in float32, else a copy with its weights.
    """
    computed = {layer.compute_dtype for layer in model._flatten_layers(include_self=False)}
    if not computed & {"float16", "bfloat16"}:
        return model
    keras = load_keras()
    copy = type(model).from_config(_with_float32(model.get_config()))
    if not copy.built:
        copy.build(model.input_shape)
    copy.set_weights([keras.ops.convert_to_numpy(weight).astype("float32") for weight in model.weights])
    return copy


def _with_float32(config: Any) -> Any:
    """A layer's configuration, and those inside it, with the float32 policy."""
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(entry) for entry in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy" or config.get("module") == "keras.dtype_policies":
        return "float32"
    changed = {name: _with_float32(value) for name, value in config.items()}
    if isinstance(changed.get("dtype"), str) and "float" in changed["dtype"]:
        changed["dtype"] = "float32"
    return changed
