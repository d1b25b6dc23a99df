"""What is exported: a run folder, or a Keras file or SavedModel with its labels."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.dataset import distinct_labels
from edge_runtime.errors import ModelFileError, RunError, UsageError
from edge_runtime.labels import check_count, parse_labels
from edge_runtime.lookup import is_there
from edge_runtime.native_output import quiet
from edge_runtime.spec import Fit, InputSpec, Resize
from edge_runtime.text import as_utf8, is_utf8
from exporter.backend import load_keras_model, load_tensorflow
from exporter.input_range import InputRange, normalisation
from exporter.model_files import model_sha256
from exporter.own_input import own_input, refuse_given
from exporter.precision import in_float32
from exporter.reasons import first_line
from exporter.saved_source import SAVED_MODEL_FILES, Opened, is_saved_model, open_saved_model
from exporter.sigmoid import End, keras_end, probes, refuse_sigmoids, single_output
from trainer.run import RunRecord, is_run, model_path, read_run

KERAS_SUFFIXES = (".keras", ".h5")

_CONVERTED_SUFFIXES = (".tflite", ".onnx")


@dataclass(frozen=True)
class Source:
    """A full model that is known, but not loaded.

    Attributes:
        name: What to call its bundle.
        file: The model file, or a SavedModel's folder.
        sha256: Hash of that file, or of all in that folder.
        architecture: Its architecture, or the file's name.
        labels: Class names; None where nothing says.
        fit: How images become the input's size.
        resize: How pixels of another size are made.
        run: The run folder, if it is one.
        record: The run's record, if it is one.
        brings_pixels: Whether it says itself how images become pixels: a run, or a bundle's own file.
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
        input: Its input.
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
    """Looks at a source without loading it.

    Args:
        path: A run folder, a ``.keras`` or ``.h5`` file, or a SavedModel's folder.
        labels: File of class names; a run folder has its own.
        fit: How images become the input's size; None is ``stretch``, or what a run or bundle says.
        resize: How pixels of another size are made; None is ``antialiased``, or what a bundle says.

    Raises:
        RunError: The folder is no run.
        UsageError: The file cannot be read, is of another kind or has a path that is not UTF-8, or a run or
            a bundle's file came with what it has itself.
        BundleError: The labels file holds no label.
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
    """Refuses a path that the libraries which load models would not take.

    Args:
        path: A path on this machine, which on Linux may be any bytes.
        what: What it is the path of, for the message.

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
    pixels: tuple[Fit, Resize] = (fit or "stretch", resize or "antialiased")
    if place.name in SAVED_MODEL_FILES:
        place = place.parent
    if is_saved_model(place) and not is_run(place):
        names = None if labels is None else read_labels(labels)
        own = own_input(place)
        if own is not None:
            what, spec = own
            refuse_given(what, place, fit=fit, resize=resize)
            pixels = spec.fit, spec.resize
        return Source(
            place.resolve().name,
            place,
            model_sha256(place),
            place.name,
            names,
            *pixels,
            brings_pixels=own is not None,
        )
    if place.is_dir() or is_run(place):
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
    if not is_there(place):
        raise RunError(
            f"A source must exist. Received: {place}. Pass a run folder, or make one with: "
            "snapship train DATA --out RUN"
        )
    if place.suffix.lower() in _CONVERTED_SUFFIXES:
        raise UsageError(
            f"A source must be the full model, before it was converted. Received: {place}. Export the Keras model "
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
    names = None if labels is None else read_labels(labels)
    return Source(place.stem, place, model_sha256(place), place.name, names, *pixels)


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


def load_source(source: Source, input_range: InputRange = "0..255") -> FullModel:
    """Loads the full model and checks that it is a classifier on images.

    Args:
        source: What :func:`find_source` found.
        input_range: What it takes for a pixel; the full model takes raw pixels all the same.

    Raises:
        ModelFileError: The file does not load, or the model is something else.
        BundleError: The labels do not match its outputs.
        EnvironmentMissingError: Keras or TensorFlow is not installed.
    """
    opened = open_model(source.file)
    taken, given = opened.taken, opened.given
    _check_float(opened, source.file)
    if len(given) == 2 and given[1] == 1:
        raise single_output(source.file, f"[{'any' if given[0] is None else given[0]}, 1]")
    height, width, channels = taken[1:] if len(taken) == 4 else (None, None, None)
    classes = given[1] if len(given) == 2 else None
    if height is None or width is None or channels not in (1, 3) or classes is None:
        raise ModelFileError(
            "A full model must take [batch, height, width, 1 or 3] and return [batch, classes], sizes fixed. "
            f"Received: {list(taken)} -> {list(given)} in {source.file}. Build it with fixed sizes."
        )
    if taken[0] is not None:
        raise ModelFileError(
            f"A full model must take any number of images. Received: a batch of {taken[0]} in {source.file}. "
            "Save it with a free batch dimension."
        )
    if source.labels is not None:
        check_count(source.labels, classes)
    spec = InputSpec(height=height, width=width, channels=channels, fit=source.fit, resize=source.resize)
    call = on_raw_pixels(opened.call, input_range, channels)
    end: End = "unknown" if opened.keras is None else keras_end(opened.keras)
    _check_scores(call, spec, end, source.file)
    return FullModel(opened.keras if input_range == "0..255" else None, call, spec, classes)


def open_model(file: Path) -> Opened:
    """Loads a Keras file or SavedModel.

    Args:
        file: A ``.keras`` or ``.h5`` file, or a SavedModel's folder.

    Raises:
        ModelFileError: It does not load, or has several inputs or outputs.
        EnvironmentMissingError: Keras or TensorFlow is not installed.
    """
    if is_saved_model(file):
        return open_saved_model(file)
    model = in_float32(load_keras_model(file))
    try:
        inputs, outputs = model.inputs, model.outputs
        if len(inputs) == len(outputs) == 1:
            taken, given = tuple(inputs[0].shape), tuple(outputs[0].shape)
            return Opened(model, lambda image: model(image, training=False), taken, given)
    except (AttributeError, TypeError) as error:
        raise ModelFileError(
            f"A full model must be a functional or sequential Keras model with one input and one output. "
            f"Received: {file}. Wrap it as keras.Model(inputs, outputs)."
        ) from error
    raise ModelFileError(
        f"A full model must have one input and one output. Received: {file} with {len(inputs)} inputs, "
        f"{len(outputs)} outputs. Save one that takes an image and gives scores."
    )


def on_raw_pixels(call: Callable[[Any], Any], input_range: InputRange, channels: int) -> Callable[[Any], Any]:
    """A model's function with the normalisation in front, so that it takes pixels 0..255.

    Args:
        call: TensorFlow tensor ``[batch, height, width, channels]`` in its range -> scores.
        input_range: Its range.
        channels: 1 or 3.

    Returns:
        TensorFlow tensor float32, 0..255 -> float32 scores.
    """
    tensorflow = load_tensorflow()
    factor, offset = normalisation(input_range, channels)

    def scores(image: Any) -> Any:
        seen = image if input_range == "0..255" else image * factor + offset
        return tensorflow.cast(call(seen), tensorflow.float32)

    return scores


def _check_float(opened: Opened, file: Path) -> None:
    """Refuses what is quantized already: to compare with it would hide what that cost."""
    layers = [] if opened.keras is None else opened.keras._flatten_layers()
    modes = sorted({str(mode) for layer in layers if (mode := getattr(layer, "quantization_mode", None))})
    how = f"model.quantize({modes[0]!r})" if modes else "quantization-aware training"
    if modes or opened.fake_quantized:
        raise ModelFileError(
            f"A full model must compute in float. Received: {file}, quantized by {how}. Export the float model "
            "that it was made from; snapship quantizes by itself."
        )


def _check_scores(call: Callable[[Any], Any], spec: InputSpec, end: End, file: Path) -> None:
    """A few images tell logits and sigmoids from scores."""
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
            f"A full model must give numbers. Received: NaN or infinity on plain images from {file}. "
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
