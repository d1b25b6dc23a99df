"""The full model: found on disk as the source of an export, loaded, and frozen for the converters.

A source is a run folder, a Keras file or a SavedModel. Every artifact is made from its frozen graph.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from edge_runtime.bundle.labels import check_count, parse_labels
from edge_runtime.bundle.manifest import Format
from edge_runtime.common.atomic_file import is_there
from edge_runtime.common.errors import ModelFileError, RunError, UsageError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.common.text import as_utf8, is_utf8
from edge_runtime.dataset import distinct_labels
from edge_runtime.image.input_spec import Fit, InputSpec, Resize
from exporter.common.backend import load_tensorflow
from exporter.common.wording import outside_operations
from exporter.formats.flatbuffer import INPUT_NAME, OUTPUT_NAME
from exporter.formats.model_files import model_sha256
from exporter.formats.sigmoid_outputs import End, probes, refuse_sigmoids
from exporter.source.input_range import InputRange, own_input, refuse_given
from exporter.source.tensorflow_file import SAVED_MODEL_FILES, is_saved_model, load_tensorflow_file
from trainer.run.run_json import RunRecord, is_run, model_path, read_run

KERAS_SUFFIXES = (".keras", ".h5")

CONVERTED_SUFFIXES: dict[str, Format] = {".tflite": "tflite", ".onnx": "onnx"}


@dataclass(frozen=True)
class Source:
    """A full model on disk, not loaded yet.

    Attributes:
        name: Default name of its bundle.
        file: The model file, or a SavedModel's folder.
        sha256: Hash of that file, or of everything in that folder.
        architecture: Its architecture, or the file's name.
        labels: Class names; None if unknown.
        fit: How images are fitted to the input size.
        resize: Resize filter.
        run: The run folder, if it is one.
        record: The run's record, if it is one.
        brings_pixels: Whether it defines its own preprocessing, as a run or a bundle's file does.
    """

    name: str
    file: Path
    sha256: str
    architecture: str
    labels: tuple[str, ...] | None
    fit: Fit
    resize: Resize = "antialiased"
    run: Path | None = None
    record: RunRecord | None = None
    brings_pixels: bool = False


@dataclass(frozen=True)
class FullModel:
    """A full model in memory.

    Attributes:
        keras: The Keras model, which takes float32 ``[batch, height, width, channels]``, 0..255;
            None when the source is a SavedModel, or takes pixels in another range.
        call: TensorFlow tensor float32 ``[batch, height, width, channels]``, 0..255 -> tensor
            float32 ``[batch, classes]``, in inference.
        input: The images it takes.
        classes: Length of its score vector.
    """

    keras: Any | None
    call: Callable[[Any], Any]
    input: InputSpec
    classes: int


def find_source(
    path: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    fit: Fit | None = None,
    resize: Resize | None = None,
) -> Source:
    """Finds a source, without loading it.

    Args:
        path: A run folder, a ``.keras`` or ``.h5`` file, or a SavedModel's folder.
        labels: File of class names; a run folder has its own.
        fit: How images are fitted to the input size; None is ``stretch``, or that of a run or bundle.
        resize: Resize filter; None is ``antialiased``, or that of a run or bundle.

    Raises:
        RunError: The folder is not a run.
        UsageError: The file cannot be read, is of another kind or has a path that is not UTF-8, or an option
            contradicts what a run or a bundle's file defines itself.
        BundleError: The labels file has no labels.
    """
    place = Path(path)
    check_path(place)
    try:
        return _found(place, labels, fit, resize)
    except OSError as error:
        raise UsageError(
            f"A source must be readable. Received: {place} ({error.strerror}). Check the path."
        ) from error


def check_path(path: Path, what: str = "model") -> None:
    """Refuses a path that the libraries that load models cannot open.

    Args:
        path: A path, which on Linux may be any bytes.
        what: What the path leads to, for the message.

    Raises:
        UsageError: It is not UTF-8.
    """
    if not is_utf8(os.path.abspath(path)):
        raise UsageError(
            f"A path must be UTF-8, so that libraries can open the {what}. Received: "
            f"{as_utf8(os.path.abspath(path))}. Rename that file or folder."
        )


def _found(
    place: Path, labels: str | os.PathLike[str] | None, fit: Fit | None, resize: Resize | None
) -> Source:
    if place.name in SAVED_MODEL_FILES:
        place = place.parent
    saved_model = is_saved_model(place)
    if is_run(place) or (place.is_dir() and not saved_model):
        record, file = read_run(place), model_path(place)
        refuse_given("A run folder", place, labels=labels, fit=fit, resize=resize)
        return Source(
            record.name,
            file,
            model_sha256(file),
            record.model,
            record.labels,
            record.input.fit,
            record.input.resize,
            place,
            record,
            brings_pixels=True,
        )
    own = own_input(place) if saved_model else None
    pixels: tuple[Fit, Resize] = (fit or "stretch", resize or "antialiased")
    if own is not None:
        what, spec = own
        refuse_given(what, place, fit=fit, resize=resize)
        pixels = spec.fit, spec.resize
    if not saved_model:
        _check_keras_file(place)
    return Source(
        place.resolve().name if saved_model else place.stem,
        place,
        model_sha256(place),
        place.name,
        None if labels is None else read_labels(labels),
        *pixels,
        brings_pixels=own is not None,
    )


def _check_keras_file(place: Path) -> None:
    if not is_there(place):
        raise RunError(
            f"A source must exist. Received: {place}. Pass a run folder, or make one with: "
            "snapship train DATA --out RUN"
        )
    if place.suffix.lower() in CONVERTED_SUFFIXES:
        raise UsageError(
            f"A source must be the full model, before conversion. Received: {place}. Export the Keras model "
            "or SavedModel that it was made from; to compare this file with that, run: snapship check --reference "
            f"MODEL --candidate {place} --data DATA"
        )
    if place.suffix.lower() not in KERAS_SUFFIXES:
        raise UsageError(
            f"A source must be a run folder, a {' or '.join(KERAS_SUFFIXES)} file or a SavedModel. "
            f"Received: {place}. "
            "Save the model with model.save('NAME.keras')."
        )
    if not place.stat().st_size:
        raise ModelFileError(f"A model file must have content. Received: {place}, 0 bytes. Save it again.")


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Reads a labels file.

    Args:
        path: Text, one class name per line.

    Raises:
        UsageError: It cannot be read.
        BundleError: It has no labels, or an empty one.
    """
    try:
        # Made distinct as in a data set, which ImageNet's two cranes need.
        return distinct_labels(parse_labels(Path(path).read_text(encoding="utf-8"), os.fspath(path)))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(
            f"A labels file must be readable text. Received: {os.fspath(path)} ({reason}). "
            "Pass a file with one class name per line."
        ) from error


def load_source(source: Source, input_range: InputRange = "0..255") -> FullModel:
    """Loads the full model and checks that it is a classifier on images.

    Args:
        source: What :func:`find_source` found.
        input_range: The pixel range it expects; the full model takes raw pixels all the same.

    Raises:
        ModelFileError: The file does not load, or is not a classifier that can be exported.
        BundleError: The labels do not match its outputs.
        EnvironmentMissingError: Keras or TensorFlow is not installed.
    """
    model = load_tensorflow_file(source.file, input_range, strict=True)
    assert model.call is not None
    if source.labels is not None:
        check_count(source.labels, model.classes)
    spec = model.spec(source.fit, source.resize)
    _check_scores(model.call, spec, model.end, source.file)
    return FullModel(model.keras if input_range == "0..255" else None, model.call, spec, model.classes)


def _check_scores(call: Callable[[Any], Any], spec: InputSpec, end: End, file: Path) -> None:
    """Tells logits and sigmoids from scores, on a few images."""
    images = load_tensorflow().constant(probes(spec.shape).astype(np.float32))
    try:
        with quiet():
            scores = call(images).numpy()
            totals = scores.astype(np.float64).sum(axis=1)
    except Exception as error:
        # Any layer may raise anything.
        raise ModelFileError(
            f"A full model must run on one image. Received: {file} ({first_line(error)}). Fix the model."
        ) from error
    if not np.isfinite(totals).all():
        raise ModelFileError(
            f"A full model must return numbers. Received: NaN or infinity on plain images from {file}. "
            "Train it again."
        )
    good = np.abs(totals - 1.0).max() <= 1e-3 and scores.min() >= 0.0
    refuse_sigmoids(scores, bool(good), end, file)
    if not good:
        wrong = totals[np.abs(totals - 1.0).argmax()]
        raise ModelFileError(
            f"A classifier's scores must sum to 1. Received: {wrong:.4g} on a plain image from {file}. "
            "End the model with a softmax layer."
        )


_MOST_CONSTANT_BYTES = 128_000_000
"""Most bytes of weights of a model whose constants are kept."""

_frozen: WeakKeyDictionary[FullModel, Any] = WeakKeyDictionary()


def frozen_for_any_batch(model: FullModel) -> Any:
    """:func:`freeze` for any number of images, once for scores and conversions of a model that is not large.

    Args:
        model: The full model; its weights do not change any more.

    Returns:
        As :func:`freeze`.

    Raises:
        ModelFileError: As :func:`freeze`.
    """
    if not small_enough_to_keep(model):
        return freeze(model, None)
    if model not in _frozen:
        # It holds nothing of the model, which may go with it.
        _frozen[model] = freeze(model, None)
    return _frozen[model]


def small_enough_to_keep(model: FullModel) -> bool:
    """Whether a second copy of the weights, as constants, may stay in memory.

    Args:
        model: The full model.
    """
    return model.keras is not None and bool(4 * model.keras.count_params() <= _MOST_CONSTANT_BYTES)


def freeze(model: FullModel, batch: int | None = 1) -> Any:
    """Traces the model for inference and turns its weights into constants.

    The batch is fixed because LiteRT.js and MediaPipe refuse a dynamic one; weights become constants
    because the quantizer's calibration cannot read variables.

    Args:
        model: The full model.
        batch: Images at a time; None leaves it open, for servers.

    Returns:
        A concrete function, float32 ``[batch, height, width, channels]`` -> ``[batch, classes]``.

    Raises:
        ModelFileError: The model cannot be traced or frozen.
    """
    tensorflow = load_tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tensorflow.TensorSpec((batch, *model.input.shape), tensorflow.float32, name=INPUT_NAME)

    def scores(image: Any) -> Any:
        return tensorflow.identity(model.call(image), name=OUTPUT_NAME)

    try:
        with quiet():
            traced = tensorflow.function(scores, input_signature=[signature], autograph=False)
            concrete = traced.get_concrete_function()
    except Exception as error:
        # Any layer may raise anything.
        raise ModelFileError(
            f"A full model must run on one image. Received: an error of {first_line(error)}. Fix the model."
        ) from error
    outside = outside_operations(concrete.graph)
    if outside:
        raise ModelFileError(
            f"A full model must be arithmetic on tensors. Received: {outside}: a lookup table, random numbers "
            "or Python code. Replace it, or move it out of the model."
        )
    try:
        with quiet():
            return convert_variables_to_constants_v2(concrete, aggressive_inlining=True)
    except (ValueError, TypeError, NotImplementedError, AttributeError, tensorflow.errors.OpError) as error:
        raise ModelFileError(
            f"A full model's weights must become constants. Received: {first_line(error)}. Fix the model."
        ) from error
