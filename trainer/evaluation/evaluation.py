"""Evaluates a run folder with Keras, or a bundle with the device runtime, on labelled images."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.common.errors import (
    DataError,
    ImageError,
    RunError,
    UnknownNameError,
    UsageError,
    first_line,
)
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array
from trainer.core.backend import load_keras
from trainer.core.cache import Int64Array, Pixels, cached_pixels, ensure_downloaded
from trainer.evaluation import metrics
from trainer.evaluation.metrics import ScoredImages
from trainer.fit.batches import predict_batches
from trainer.progress import Event, Progress, silent
from trainer.run.run_json import RunRecord, is_run, model_path, read_run, register_layers

Part = Literal["val", "all"]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a model on labelled images.

    Attributes:
        n: Number of images.
        top1: Top-1 accuracy, 0..1.
        top5: Top-5 accuracy, 0..1; 1 with at most five classes.
        loss: Mean cross-entropy in nats.
        ece: Expected calibration error, 0..1.
        macro: Recall, precision and F1, averaged over the classes with images.
        per_class: Metrics per class, in the model's order.
        confusion: Confusion matrix: counts, rows are true classes, columns predicted ones.
        reliability: Accuracy per bin of confidence.
        seconds: Wall-clock time.
        skipped: Files that could not be used, with the reason.
    """

    n: int
    top1: float
    top5: float
    loss: float
    ece: float
    macro: metrics.MacroMetrics
    per_class: tuple[metrics.ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[metrics.ReliabilityBin, ...]
    seconds: float
    skipped: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Measurement:
    """The evaluation of a run or a bundle, with everything that its page shows.

    Attributes:
        name: Name of the run or the bundle.
        made_of: The architecture, or the artifact and its engine.
        input: The model's input.
        data: Source of the images.
        split: ``val`` or ``all``.
        evaluation: The metrics.
        scored: The images with their scores.
    """

    name: str
    made_of: str
    input: InputSpec
    data: str
    split: Part
    evaluation: Evaluation
    scored: ScoredImages


def evaluate(
    source: str | os.PathLike[str],
    data: str | os.PathLike[str],
    split: Part = "val",
    *,
    artifact: str | None = None,
    progress: Progress = silent,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Evaluates a run folder with Keras, or a bundle with the device runtime.

    Args:
        source: A run folder or a bundle.
        data: Any of ``edge_runtime.dataset.FORMS``; classes are matched by name.
        split: ``val`` or ``all``.
        artifact: Model file of a bundle, for example ``tflite-int8``; None to choose as on a
            device.
        progress: Progress callback, called for every batch.
        cache_dir: Folder of the pixel cache; None for the default.

    Raises:
        RunError: ``source`` is neither a run folder nor a bundle, or is damaged.
        DataError: The data cannot be used, or has a class that the model lacks.
        UsageError: ``artifact`` was passed with a run.
        EnvironmentMissingError: Keras is not installed and ``source`` is a run.
    """
    return measure(source, data, split, artifact=artifact, progress=progress, cache_dir=cache_dir).evaluation


def measure(
    source: str | os.PathLike[str],
    data: str | os.PathLike[str],
    split: Part = "val",
    *,
    artifact: str | None = None,
    progress: Progress = silent,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Measurement:
    """Does the same as :func:`evaluate`, and returns the scores, images and model as well.

    Args:
        source: As for :func:`evaluate`.
        data: As for :func:`evaluate`.
        split: As for :func:`evaluate`.
        artifact: As for :func:`evaluate`.
        progress: As for :func:`evaluate`.
        cache_dir: As for :func:`evaluate`.
    """
    if split not in get_args(Part):
        raise UnknownNameError.of("split", split, get_args(Part))
    kind = source_kind(source)
    record = read_run(source) if kind == "run" else None
    if record is not None and artifact is not None:
        raise UsageError(
            f"An artifact requires a bundle. Received: {artifact!r} with the run {os.fspath(source)}. "
            "Leave it out, or pass the bundle."
        )
    ensure_downloaded(data, progress)
    images = open_dataset(data)
    if split == "val":
        images = images.only("val")
    if not images.items:
        raise DataError(
            f"The data must have images to evaluate on. Received: none in the {split} split of {images.source}. "
            "Use --split all."
        )
    started = time.monotonic()
    if record is None:
        name, made_of, spec, skipped, scored = _score_bundle(source, images, artifact, progress)
    else:
        name, made_of, spec = record.name, record.model, record.input
        skipped, scored = _score_run(source, record, images, progress, cache_dir)
    seconds = time.monotonic() - started
    evaluation = evaluate_scores(scored.scores, scored.targets, scored.labels, seconds, skipped)
    return Measurement(name, made_of, spec, images.source, split, evaluation, scored)


def evaluate_scores(
    scores: Float32Array,
    targets: Int64Array,
    labels: tuple[str, ...],
    seconds: float,
    skipped: tuple[str, ...] = (),
) -> Evaluation:
    """Computes all metrics from scores.

    Args:
        scores: float32 ``[n, classes]``.
        targets: int64 ``[n]``.
        labels: Class names.
        seconds: Wall-clock time.
        skipped: Files that could not be used.
    """
    counts = metrics.confusion(scores, targets)
    per_class = metrics.by_class(counts, labels)
    return Evaluation(
        n=len(targets),
        top1=metrics.top1(scores, targets),
        top5=metrics.top_k(scores, targets, 5),
        loss=metrics.log_loss(scores, targets),
        ece=metrics.calibration_error(scores, targets),
        macro=metrics.macro(per_class),
        per_class=per_class,
        confusion=tuple(tuple(int(cell) for cell in row) for row in counts),
        reliability=metrics.reliability(scores, targets),
        seconds=round(seconds, 2),
        skipped=skipped,
    )


def scored_images(model: Any, pixels: Pixels, chosen: Int64Array, scores: Float32Array) -> ScoredImages:
    """Returns decoded images with a model's scores.

    Args:
        model: A ``keras.Model`` on raw pixels; None if it is not at hand.
        pixels: The decoded images.
        chosen: Indices of the scored ones, int64.
        scores: float32 ``[len(chosen), classes]``.
    """
    return ScoredImages(
        labels=pixels.images.labels,
        refs=tuple(pixels.images.items[place].ref for place in chosen),
        scores=scores,
        targets=pixels.labels[chosen],
        pixels=lambda place: np.array(pixels.array[chosen[place]]),
        predict=lambda array: predict(model, array, np.arange(len(array))),
        model=model,
    )


def predict(model: Any, array: UInt8Array, chosen: Int64Array, progress: Progress = silent) -> Float32Array:
    """Returns the scores of images.

    Args:
        model: A ``keras.Model`` on raw pixels.
        array: uint8 ``[n, height, width, channels]``.
        chosen: Indices of the images, ascending.
        progress: Progress callback, called for every batch.

    Returns:
        float32 ``[len(chosen), classes]``.
    """
    return np.concatenate(list(predict_batches(model, array, chosen, "evaluate", progress)))


def load_model(source: str | os.PathLike[str]) -> Any:
    """Loads the trained model of a run.

    Args:
        source: A run folder.

    Raises:
        RunError: ``source`` is not a run folder, or the model is damaged.
        EnvironmentMissingError: Keras is not installed.
    """
    path = model_path(source)
    keras = load_keras()
    register_layers()
    try:
        return keras.models.load_model(path, compile=False)
    # A damaged .keras file raises almost anything: errors of zip, JSON, HDF5 and Keras.
    except Exception as error:
        raise RunError(
            f"A run's model must load. Received: {path} ({first_line(error)}). Restore the file or train again."
        ) from error


def source_kind(source: str | os.PathLike[str]) -> Literal["run", "bundle"]:
    """Returns whether a path is a run folder or a bundle, even a damaged one.

    Args:
        source: Any path.

    Raises:
        RunError: It is neither.
    """
    path = Path(source)
    if is_run(path):
        return "run"
    if (path / MANIFEST_FILE).is_file() or path.suffix.lower() == ".zip":
        return "bundle"
    what = "which does not exist" if not path.exists() else "which is neither"
    raise RunError(
        f"The model must be a run folder or a bundle. Received: {path}, {what}. "
        "Create one with: snapship train DATA --out RUN"
    )


def _score_run(
    source: str | os.PathLike[str],
    record: RunRecord,
    images: ImageSet,
    progress: Progress,
    cache_dir: str | os.PathLike[str] | None,
) -> tuple[tuple[str, ...], ScoredImages]:
    """Scores images with a run's model; also returns the files that could not be used."""
    labels = record.labels
    pixels = cached_pixels(images.relabelled(labels), record.input, cache_dir, progress)
    progress(Event("evaluate", 0, 0, f"evaluating {len(pixels.images)} images"))
    model = load_model(source)
    everything = np.arange(len(pixels.labels))
    scores = predict(model, pixels.array, everything, progress)
    if scores.shape[1:] != (len(labels),):
        raise RunError(
            f"A run's model must have one output per label. Received: {scores.shape[1]} outputs, "
            f"{len(labels)} labels in {source}. Train again."
        )
    return pixels.images.skipped, scored_images(model, pixels, everything, scores)


def _score_bundle(
    source: str | os.PathLike[str], images: ImageSet, artifact: str | None, progress: Progress
) -> tuple[str, str, InputSpec, tuple[str, ...], ScoredImages]:
    """Scores image by image, so that a device can evaluate a data set of any size.

    Returns:
        The bundle's name, the artifact and its engine, its input, the files that could not be
        used, and the images with their scores.
    """
    from edge_runtime.classifier import Classifier

    # A named artifact is evaluated even if its check failed: that is how to find out why.
    classifier = Classifier.open(source, artifact, allow_failed=artifact is not None)
    images = images.relabelled(tuple(classifier.labels))
    rows: list[Float32Array] = []
    failures: dict[str, str] = {}
    progress(Event("evaluate", 0, len(images), f"evaluating {len(images)} images"))
    for place, item in enumerate(images.items):
        try:
            rows.append(classifier.scores(images.read(item)))
        except (ImageError, DataError) as error:
            failures[item.ref] = str(error)
        progress(Event("evaluate", place + 1, len(images)))
    kept = images.without(failures)
    scored = ScoredImages(
        labels=kept.labels,
        refs=tuple(item.ref for item in kept.items),
        scores=np.stack(rows),
        targets=np.array([item.label for item in kept.items], np.int64),
        pixels=lambda place: classifier.pixels(kept.read(kept.items[place])),
        predict=lambda array: np.stack([classifier.scores(image) for image in array]),
    )
    made_of = f"{classifier.artifact.kind} on {classifier.engine}"
    return classifier.bundle.manifest.name, made_of, classifier.input, kept.skipped, scored
