"""Two model files of any origin on the same raw pixels: Keras, SavedModel, TFLite or ONNX."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge_runtime.bundle.labels import settled
from edge_runtime.common.errors import ModelFileError, SnapshipError, UsageError, first_line
from edge_runtime.dataset import ImageSet, distinct_labels
from edge_runtime.engines import open_engine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import Fit, InputSpec, Resize
from exporter.common.backend import load_tensorflow
from exporter.formats.half_precision import raw
from exporter.formats.model_files import model_files
from exporter.formats.sigmoid_outputs import probes, refuse_sigmoids
from exporter.source.candidate import Candidate
from exporter.source.engine_team import team_size
from exporter.source.full_model import CONVERTED_SUFFIXES, KERAS_SUFFIXES, FullModel, check_path
from exporter.source.input_range import InputRange
from exporter.source.loaded_model import LoadedModel
from exporter.source.loaders import load_model, reloaded
from exporter.source.scoring import Scorer, engine_scorer, full_scorer
from exporter.source.tensorflow_file import SAVED_MODEL_FILES, is_saved_model

_SUM_TOLERANCE = 1e-2
"""How far float scores may be from summing to 1; float16 softmaxes of 1000 classes are off by some 1e-3."""


def check_file(path: Path) -> None:
    """Checks that a model file exists and is of a known kind; nothing is loaded.

    Args:
        path: The file, or a SavedModel's folder.

    Raises:
        UsageError: It is another kind of file.
        ModelFileError: It does not exist, or is empty.
    """
    check_path(path)
    known = (*KERAS_SUFFIXES, *CONVERTED_SUFFIXES)
    try:
        size = path.stat().st_size
        if is_saved_model(_place(path)):
            return
    except OSError as error:
        raise ModelFileError(
            f"A model file must exist. Received: {path} ({error.strerror}). Check the path."
        ) from error
    if path.suffix.lower() not in known or path.is_dir():
        what = "a folder without saved_model.pb" if path.is_dir() else "another kind of file"
        raise UsageError(
            f"A model must be a {', '.join(known)} file or a SavedModel folder. Received: {path}, {what}. "
            "Pass one of these."
        )
    if not size:
        raise ModelFileError(f"A model file must have content. Received: {path}, 0 bytes. Export it again.")


def look_at(path: Path, input_range: InputRange = "0..255") -> LoadedModel:
    """Loads a model file and finds its input and output.

    Args:
        path: A ``.keras``, ``.h5``, ``.tflite`` or ``.onnx`` file, or a SavedModel's folder.
        input_range: The pixel range it expects.

    Raises:
        UsageError: It is another kind of file, or its quantized input does not fit the range.
        ModelFileError: It does not exist or load, or is not an image classifier.
        EnvironmentMissingError: What runs it is not installed.
    """
    check_file(path)
    # Before a runtime opens what the file names.
    files = model_files(_place(path))
    return replace(load_model(_place(path), input_range), files=files)


def _place(path: Path) -> Path:
    """The folder of a SavedModel, also where its file is named."""
    return path.parent if path.name in SAVED_MODEL_FILES else path


def common_input(
    reference: LoadedModel, candidate: LoadedModel, fit: Fit, resize: Resize = "antialiased"
) -> InputSpec:
    """The pixels that both models take.

    Args:
        reference: The full model.
        candidate: The model to judge.
        fit: How images become the input's size.
        resize: How pixels of another size are made.

    Raises:
        ModelFileError: They take images of different sizes, or give scores of different classes.
        UsageError: Neither says which size.
    """
    pairs = list(zip(reference.input.shape[1:], candidate.input.shape[1:], strict=True))
    if (
        any("any" not in pair and pair[0] != pair[1] for pair in pairs)
        or reference.classes != candidate.classes
    ):
        raise ModelFileError(
            "Two models must take the same images and have the same classes. Received: "
            f"{_shown(reference)}; {_shown(candidate)}. Compare files of the same model."
        )
    height, width, channels = (pair[0] if pair[1] == "any" else pair[1] for pair in pairs)
    if not isinstance(height, int) or not isinstance(width, int):
        raise UsageError(
            "One of two models must say its image size. Received: "
            f"{reference.path} and {candidate.path}, which take any. Save one with a fixed size."
        )
    return InputSpec(height=height, width=width, channels=int(channels), fit=fit, resize=resize)


def _shown(model: LoadedModel) -> str:
    sizes = "x".join(map(str, model.input.shape[1:]))
    return f"{model.path.name} takes {sizes} and has {model.classes} classes"


def prepared(model: LoadedModel, spec: InputSpec) -> LoadedModel:
    """Sets a model's image size, and runs it on a few images to tell logits from scores.

    Args:
        model: The model.
        spec: The pixels that it will be given.

    Raises:
        ModelFileError: It does not run, returns NaN or infinity, or a sigmoid for each class.
    """
    if "any" in model.input.shape:
        model = reloaded(
            replace(model, input=msgspec.structs.replace(model.input, shape=(1, *spec.shape))), 1
        )
    try:
        found = np.stack([model.run(image) for image in probes(spec.shape)])
    except SnapshipError:
        raise
    except Exception as error:
        # LiteRT raises RuntimeError, ONNX Runtime exceptions of its own.
        raise ModelFileError(
            f"A model must run on one image. Received: {model.path} ({first_line(error)}). Export it again."
        ) from error
    if not np.isfinite(found).all():
        raise ModelFileError(
            f"A model's scores must be numbers. Received: NaN or infinity from {model.path} on plain images. "
            "Train or convert it again; float16 overflows above 65504."
        )
    softmax = not are_scores(found, model.step)
    refuse_sigmoids(found, not softmax, model.end, model.path)
    return replace(model, softmax=softmax)


def scorer_of(model: LoadedModel, *, together: bool = True) -> Scorer:
    """Scores many images, on all cores; on TensorFlow in batches.

    Args:
        model: What :func:`prepared` returned.
        together: Whether further engines may be opened, one per core.
    """
    call = model.call
    if call is None and (model.name == "tensorflow" or not together):
        return engine_scorer(model, model.classes)
    if call is None:
        return engine_scorer(model, model.classes, partial(reloaded, model, 1), team_size(model.bytes))

    def scores(image: Any) -> Any:
        return load_tensorflow().nn.softmax(call(image)) if model.softmax else call(image)

    return full_scorer(FullModel(None, scores, model.spec(), model.classes))


def external_candidate(model: LoadedModel) -> Candidate:
    """A file as a candidate; one in this project's own form runs on the device engines as it is.

    Args:
        model: What :func:`prepared` returned.
    """
    format = CONVERTED_SUFFIXES.get(model.path.suffix.lower()) if model.path.is_file() else None
    adapted = True
    if format is not None and not model.softmax and model.input_range == "0..255":
        try:
            open_engine(model.path, format, model.path.name).close()
            adapted = False
        except SnapshipError:
            pass

    return Candidate(
        name=model.path.name,
        model=model.path,
        # What TensorFlow runs is no artifact: its format is that of the nearest one.
        format=format or "saved-model",
        exact=False,
        bytes=model.bytes,
        opener=partial(reloaded, model) if adapted else None,
        feed=model.feed if adapted and format is not None else raw,
        threaded=format is not None,
    )


def are_scores(outputs: Float32Array, step: float = 0.0) -> bool:
    """Whether outputs are probabilities: none negative, and a sum of 1 for every image.

    Args:
        outputs: float32 ``[n, classes]``.
        step: Size of one step of a quantized output, 0 for a float one; each class may be half of it off.
    """
    tolerance = _SUM_TOLERANCE + step * outputs.shape[1] / 2
    sums = outputs.astype(np.float64).sum(axis=1)
    return bool(outputs.min() >= -1e-4 and np.abs(sums - 1.0).max() <= tolerance)


def labels_of_files(
    reference: LoadedModel, candidate: LoadedModel, images: ImageSet
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels of two models of the same classes, from the metadata of their files.

    Args:
        reference: The full model.
        candidate: The model to judge.
        images: The data; labels that do not include its classes are ignored.

    Returns:
        Labels in the order of the outputs, empty if neither file names the data's classes; and
        notes for people.

    Raises:
        UsageError: The two files name the classes in different orders.
    """
    used = {images.labels[item.label] for item in images.items}
    found: dict[Path, tuple[str, ...]] = {}
    notes = []
    for model in {reference.path: reference, candidate.path: candidate}.values():
        labels = distinct_labels([settled(label) for label in model.labels])
        if len(labels) == model.classes and used <= set(labels):
            found[model.path] = labels
        elif labels:
            notes.append(f"the labels in {model.path.name} are not used: they are not the data's class names")
    if len(set(found.values())) > 1:
        (one, first), (two, second) = found.items()
        place = next(
            index for index, pair in enumerate(zip(first, second, strict=True)) if len(set(pair)) > 1
        )
        raise UsageError(
            "Two models must have the same classes in the same order. Received: output "
            f"{place} is {first[place]!r} in {one} and {second[place]!r} in {two}. Pass --labels FILE if the "
            "names in one of them are wrong."
        )
    for path, labels in found.items():
        return labels, (*notes, f"the class names are those in {path.name}")
    return (), tuple(notes)
