"""Any two model files on the same raw pixels: ours or not, Keras, SavedModel, TFLite or ONNX.

Each side becomes an engine that takes uint8 pixels and gives scores::

    pixels -> the file's range, type and order -> file -> dequantized -> softmax of logits -> scores
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.engines import Engine, open_engine
from edge_runtime.errors import ModelFileError, SnapshipError, UsageError
from edge_runtime.manifest import Format, TensorSpec
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from edge_runtime.spec import Fit, InputSpec, Resize
from exporter.backend import load_tensorflow
from exporter.candidate import Candidate
from exporter.foreign_files import ForeignFile, Layout, read_keras, read_onnx, read_tflite
from exporter.freeze import INPUT_NAME, OUTPUT_NAME
from exporter.half_precision import raw
from exporter.input_range import InputRange
from exporter.metadata.tflite import tflite_labels
from exporter.model_files import files_sha256, model_files
from exporter.reasons import first_line
from exporter.saved_source import SAVED_MODEL_FILES, is_saved_model
from exporter.scoring import Scorer, engine_scorer, full_scorer
from exporter.sigmoid import probes, refuse_sigmoids
from exporter.source import KERAS_SUFFIXES, FullModel, check_path

_FORMATS: dict[str, Format] = {".tflite": "tflite", ".onnx": "onnx"}

_SUM_TOLERANCE = 1e-2
"""How far float scores may be from summing to 1; float16 softmaxes of 1000 classes are off by some 1e-3."""


@dataclass(frozen=True)
class ForeignModel:
    """A model file that was looked at.

    Attributes:
        path: The file, or a SavedModel's folder.
        input_range: What it takes for a pixel.
        layout: What it takes for an image.
        classes: Length of its score vector.
        files: All that it consists of: itself, a folder's files, weights in files beside an .onnx file.
        labels: Class names in the order of the scores, as the file itself has them; mostly empty.
    """

    path: Path
    input_range: InputRange
    layout: Layout
    classes: int
    files: tuple[Path, ...]
    labels: tuple[str, ...] = ()

    @property
    def format(self) -> Format | None:
        """``tflite`` or ``onnx``; None for what TensorFlow runs."""
        return _FORMATS.get(self.path.suffix.lower()) if self.path.is_file() else None

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def sha256(self) -> str:
        """Hash of all its files."""
        return files_sha256(self.path, self.files)

    def read(self, spec: InputSpec, threads: int = 1, *, exact: bool = False) -> ForeignFile:
        """Loads it for one image size.

        Args:
            spec: The pixels that it will be given.
            threads: Threads of one inference; TensorFlow uses its own.
            exact: Use integer kernels that cannot saturate, for an .onnx file.
        """
        if exact and self.format == "onnx":
            return read_onnx(self.path, self.input_range, threads, exact)
        return _read(self.path, self.input_range, threads, (spec.height, spec.width))


def check_file(path: Path) -> None:
    """Checks that there is a model file of a known kind; nothing is loaded.

    Args:
        path: The file, or a SavedModel's folder.

    Raises:
        UsageError: It is another kind of file.
        ModelFileError: It is not there, or empty.
    """
    check_path(path)
    known = (*KERAS_SUFFIXES, *_FORMATS)
    try:
        size = path.stat().st_size
        if is_saved_model(path.parent if path.name in SAVED_MODEL_FILES else path):
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


def look_at(path: Path, input_range: InputRange = "0..255") -> ForeignModel:
    """Loads a model file and finds what it takes and gives.

    Args:
        path: A ``.keras``, ``.h5``, ``.tflite`` or ``.onnx`` file, or a SavedModel's folder.
        input_range: What it takes for a pixel.

    Raises:
        UsageError: It is another kind of file, or its quantized input does not fit the range.
        ModelFileError: It is not there, does not load, or is no image classifier.
        EnvironmentMissingError: What runs it is not installed.
    """
    check_file(path)
    place = path.parent if path.name in SAVED_MODEL_FILES else path
    # Before a runtime opens what the file names.
    files = model_files(place)
    found = _read(place, input_range, 1, None)
    labels = tflite_labels(place.read_bytes()) if place.suffix.lower() == ".tflite" else found.labels
    return ForeignModel(place, input_range, found.layout, found.classes, files, labels)


def common_input(
    reference: ForeignModel, candidate: ForeignModel, fit: Fit, resize: Resize = "antialiased"
) -> InputSpec:
    """The pixels that both models take.

    Args:
        reference: The full model.
        candidate: The one that is judged.
        fit: How images become the input's size.
        resize: How pixels of another size are made.

    Raises:
        ModelFileError: They take images of different sizes, or give scores of different classes.
        UsageError: Neither says which size.
    """
    one, two = reference.layout, candidate.layout
    pairs = ((one.height, two.height), (one.width, two.width), (one.channels, two.channels))
    if (
        any(None not in pair and pair[0] != pair[1] for pair in pairs)
        or reference.classes != candidate.classes
    ):
        raise ModelFileError(
            "Two models must take the same images and have the same classes. Received: "
            f"{_shown(reference)}; {_shown(candidate)}. Compare files of the same model."
        )
    height, width = (pair[0] or pair[1] for pair in pairs[:2])
    if height is None or width is None:
        raise UsageError(
            "One of two models must say its image size. Received: "
            f"{reference.path} and {candidate.path}, which take any. Save one with a fixed size."
        )
    return InputSpec(height=height, width=width, channels=one.channels, fit=fit, resize=resize)


@dataclass(frozen=True)
class ForeignSide:
    """One side of a comparison, ready to score.

    Attributes:
        model: The file.
        spec: The pixels.
        softmax: Whether its outputs are logits.
        notes: What was done to its numbers, for people.
    """

    model: ForeignModel
    spec: InputSpec
    softmax: bool
    notes: tuple[str, ...]

    def engine(self, threads: int = 1) -> Engine:
        """Loads it as an engine of raw pixels.

        Args:
            threads: Threads of one inference.
        """
        return ForeignEngine(self.model.read(self.spec, threads), self.spec, self.softmax)

    def exact_engine(self, threads: int = 1) -> Engine:
        """The same with integer kernels that cannot saturate.

        Args:
            threads: Threads of one inference.
        """
        return ForeignEngine(self.model.read(self.spec, threads, exact=True), self.spec, self.softmax)

    def scorer(self) -> Scorer:
        """Scores many images; on TensorFlow in batches."""
        file = self.model.read(self.spec)
        if file.call is None:
            return engine_scorer(ForeignEngine(file, self.spec, self.softmax), file.classes)
        return full_scorer(FullModel(None, _with_softmax(file.call, self.softmax), self.spec, file.classes))

    def candidate(self) -> Candidate:
        """It as what is judged; files in this project's own form run on the device engines as they are."""
        model, format = self.model, self.model.format
        opener: Callable[[int], Engine] | None = self.engine
        if format is not None and not self.softmax and model.input_range == "0..255":
            try:
                open_engine(model.path, format, model.path.name).close()
                opener = None
            except SnapshipError:
                opener = self.engine
        feed = raw if opener is None or format is None else model.read(self.spec).feed
        # What TensorFlow runs is no artifact: its format is that of the nearest one.
        return Candidate(
            name=model.path.name,
            model=model.path,
            format=format or "saved-model",
            exact=False,
            bytes=model.bytes,
            opener=opener,
            exact_opener=None if opener is None else self.exact_engine,
            feed=feed,
            threaded=format is not None,
        )


def prepared(model: ForeignModel, spec: InputSpec) -> ForeignSide:
    """Runs a model on a few images to tell logits from scores.

    Args:
        model: The file.
        spec: The pixels that it will be given.

    Raises:
        ModelFileError: It does not run, gives no numbers, or a sigmoid for each class.
    """
    file = model.read(spec)
    try:
        found = np.stack([file.run(image) for image in probes(spec.shape)])
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
    softmax = not are_scores(found, file.step)
    refuse_sigmoids(found, not softmax, file.end, model.path)
    notes: tuple[str, ...] = (f"{model.path.name} gives logits: softmax applied",) if softmax else ()
    if model.input_range != "0..255":
        notes += (f"{model.path.name} takes pixels in {model.input_range}",)
    return ForeignSide(model, spec, softmax, notes)


def are_scores(outputs: Float32Array, step: float = 0.0) -> bool:
    """Whether outputs are probabilities: none negative, and a sum of 1 for every image.

    Args:
        outputs: float32 ``[n, classes]``.
        step: Size of one step of a quantized output, 0 for a float one; each class may be half of it off.
    """
    tolerance = _SUM_TOLERANCE + step * outputs.shape[1] / 2
    sums = outputs.astype(np.float64).sum(axis=1)
    return bool(outputs.min() >= -1e-4 and np.abs(sums - 1.0).max() <= tolerance)


class ForeignEngine:
    """Any model file as an engine of raw pixels and scores.

    Attributes:
        name: What runs it.
        input: The pixels that :meth:`run` takes.
        output: The scores that it gives.
    """

    def __init__(self, file: ForeignFile, spec: InputSpec, softmax: bool) -> None:
        """Wraps a loaded file.

        Args:
            file: The file.
            spec: The pixels that it is given.
            softmax: Whether its outputs are logits.
        """
        self.name = file.engine
        self.input = TensorSpec(INPUT_NAME, "uint8", (1, *spec.shape), 1.0, 0)
        self.output = TensorSpec(OUTPUT_NAME, "float32", (1, file.classes))
        self._file: ForeignFile | None = file
        self._softmax = softmax

    def run(self, pixels: UInt8Array) -> Float32Array:
        """Scores one image; see :class:`~edge_runtime.engines.Engine`."""
        assert self._file is not None
        found = self._file.run(pixels)
        if not self._softmax:
            return found
        powers = np.exp((found - found.max()).astype(np.float64))
        scores: Float32Array = (powers / powers.sum()).astype(np.float32)
        return scores

    def close(self) -> None:
        """Lets go of the model."""
        self._file = None


def _with_softmax(call: Callable[[Any], Any], softmax: bool) -> Callable[[Any], Any]:
    return (lambda image: load_tensorflow().nn.softmax(call(image))) if softmax else call


def _read(path: Path, input_range: InputRange, threads: int, size: tuple[int, int] | None) -> ForeignFile:
    suffix = path.suffix.lower()
    if suffix == ".tflite" and path.is_file():
        return read_tflite(path, input_range, threads, size)
    if suffix == ".onnx" and path.is_file():
        return read_onnx(path, input_range, threads)
    return read_keras(path, input_range)


def _shown(model: ForeignModel) -> str:
    layout = model.layout
    sizes = "x".join(str(size or "any") for size in (layout.height, layout.width, layout.channels))
    return f"{model.path.name} takes {sizes} and has {model.classes} classes"
