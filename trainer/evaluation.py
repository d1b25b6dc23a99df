"""Evaluates scores on labelled images; loads and runs a trained model."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_runtime.errors import RunError, first_line
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer import metrics
from trainer.backend import load_keras
from trainer.batches import predict_batches
from trainer.cache import Int64Array
from trainer.progress import Progress, silent
from trainer.run import model_path, register_layers


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
