"""How good a run or a bundle is on labelled images."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.errors import DataError, ImageError, RunError, UnknownNameError
from edge_runtime.manifest import MANIFEST_FILE
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.backend import load_keras
from trainer.batches import make_batches
from trainer.cache import Int64Array, cached_pixels
from trainer.downloads import ensure_downloaded
from trainer.metrics import ClassMetrics, by_class, calibration_error, confusion, log_loss, top1, top_k
from trainer.progress import Event, Progress, silent
from trainer.run import is_run, model_path, read_run

Part = Literal["val", "all"]


@dataclass(frozen=True)
class Evaluation:
    """A model on labelled images.

    Attributes:
        n: Images.
        top1: Share whose best class is right, 0..1.
        top5: Share whose class is among the five best, 0..1; among all with fewer classes.
        loss: Mean cross-entropy in nats.
        ece: Expected calibration error, 0..1.
        per_class: Every class, in the model's order.
        confusion: Counts; row the true class, column the answer.
        seconds: Wall-clock time.
        skipped: Files that could not be used, with the reason.
    """

    n: int
    top1: float
    top5: float
    loss: float
    ece: float
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    seconds: float
    skipped: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def evaluate(
    source: str | os.PathLike[str],
    data: str | os.PathLike[str],
    split: Part = "val",
    *,
    progress: Progress = silent,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Measures a run folder through Keras, or a bundle through the device runtime.

    Args:
        source: A run folder or a bundle.
        data: Any of ``edge_runtime.dataset.FORMS``; classes are matched by name.
        split: ``val`` or ``all``.
        progress: Told of every batch.
        cache_dir: Where decoded pixels are kept; None for the default.

    Raises:
        RunError: ``source`` is neither, or damaged.
        DataError: The data cannot be used, or has a class that the model lacks.
        EnvironmentMissingError: Keras is not installed and ``source`` is a run.
    """
    if split not in get_args(Part):
        raise UnknownNameError.of("split", split, get_args(Part))
    kind = _kind(source)
    labels = read_run(source).labels if kind == "run" else ()
    ensure_downloaded(data, progress)
    images = open_dataset(data)
    if split == "val":
        images = images.only("val")
    if not images.items:
        raise DataError(
            f"There must be images to measure on. Received: none in the {split} split of {images.source}. "
            "Use --split all."
        )
    started = time.monotonic()
    if kind == "bundle":
        return _evaluate_bundle(source, images, progress, started)
    record = read_run(source)
    pixels = cached_pixels(images.relabelled(labels), record.input, cache_dir, progress)
    progress(Event("evaluate", 0, 0, f"evaluating {len(pixels.images)} images"))
    scores = predict(load_model(source), pixels.array, np.arange(len(pixels.labels)), progress)
    if scores.shape[1:] != (len(labels),):
        raise RunError(
            f"A run's model must have one output per label. Received: {scores.shape[1]} outputs, "
            f"{len(labels)} labels in {source}. Train again."
        )
    skipped = pixels.images.skipped
    return evaluate_scores(scores, pixels.labels, labels, time.monotonic() - started, skipped)


def evaluate_scores(
    scores: Float32Array,
    targets: Int64Array,
    labels: tuple[str, ...],
    seconds: float,
    skipped: tuple[str, ...] = (),
) -> Evaluation:
    """Turns scores into an evaluation.

    Args:
        scores: float32 ``[n, classes]``.
        targets: int64 ``[n]``.
        labels: Class names.
        seconds: How long it took.
        skipped: Files that could not be used.
    """
    counts = confusion(scores, targets)
    return Evaluation(
        n=len(targets),
        top1=top1(scores, targets),
        top5=top_k(scores, targets, 5),
        loss=log_loss(scores, targets),
        ece=calibration_error(scores, targets),
        per_class=by_class(counts, labels),
        confusion=tuple(tuple(int(cell) for cell in row) for row in counts),
        seconds=round(seconds, 2),
        skipped=skipped,
    )


def load_model(source: str | os.PathLike[str]) -> Any:
    """Loads the full model of a run.

    Args:
        source: A run folder.

    Raises:
        RunError: It is none, or the model is damaged.
        EnvironmentMissingError: Keras is not installed.
    """
    path = model_path(source)
    keras = load_keras()
    try:
        return keras.models.load_model(path, compile=False)
    # A damaged .keras file raises almost anything: zip, JSON, HDF5 and Keras' own errors.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"A run's model must load. Received: {path} ({reason[:200]}). Restore the file or train again."
        ) from error


def predict(model: Any, array: UInt8Array, chosen: Int64Array, progress: Progress = silent) -> Float32Array:
    """Scores of images.

    Args:
        model: A ``keras.Model`` on raw pixels.
        array: uint8 ``[n, height, width, channels]``.
        chosen: Indices of the images wanted, ascending.
        progress: Told of every batch.

    Returns:
        float32 ``[len(chosen), classes]``.
    """
    labels = np.zeros(len(array), np.int64)
    batches = make_batches(array, labels, chosen, batch_size=64, seed=0, shuffle=False)
    parts = []
    for index in range(len(batches)):
        parts.append(np.asarray(model.predict_on_batch(batches[index][0]), np.float32))
        progress(Event("evaluate", index + 1, len(batches)))
    return np.concatenate(parts)


def _kind(source: str | os.PathLike[str]) -> Literal["run", "bundle"]:
    path = Path(source)
    if is_run(path):
        return "run"
    if (path / MANIFEST_FILE).is_file() or path.suffix.lower() == ".zip":
        return "bundle"
    what = "which does not exist" if not path.exists() else "which is neither"
    raise RunError(
        f"The model must be a run folder or a bundle. Received: {path}, {what}. "
        "Make one with: snapship train DATA --out RUN"
    )


def _evaluate_bundle(
    source: str | os.PathLike[str], images: ImageSet, progress: Progress, started: float
) -> Evaluation:
    from edge_runtime.classifier import Classifier

    classifier = Classifier.open(source)
    labels = tuple(classifier.labels)
    images = images.relabelled(labels)
    rows: list[Float32Array] = []
    failures: dict[str, str] = {}
    progress(Event("evaluate", 0, len(images), f"evaluating {len(images)} images"))
    for place, item in enumerate(images.items):
        try:
            rows.append(classifier.scores(images.read(item)))
        except (ImageError, DataError) as error:
            failures[item.ref] = str(error)
        progress(Event("evaluate", place + 1, len(images)))
    images = images.without(failures)
    targets = np.array([item.label for item in images.items], np.int64)
    return evaluate_scores(np.stack(rows), targets, labels, time.monotonic() - started, images.skipped)
