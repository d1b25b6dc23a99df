"""How good a run or a bundle is on labelled images."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_runtime.errors import RunError, first_line
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.backend import load_keras
from trainer.batches import predicted
from trainer.cache import Int64Array
from trainer.metrics import (
    ClassMetrics,
    MacroMetrics,
    ReliabilityBin,
    by_class,
    calibration_error,
    confusion,
    log_loss,
    macro,
    reliability,
    top1,
    top_k,
)
from trainer.progress import Event, Progress, silent
from trainer.run import model_path, register_layers


@dataclass(frozen=True)
class Evaluation:
    """A model on labelled images.

    Attributes:
        n: Images.
        top1: Share whose best class is right, 0..1.
        top5: Share whose class is among the five best, 0..1; among all with fewer classes.
        loss: Mean cross-entropy in nats.
        ece: Expected calibration error, 0..1.
        macro: Recall, precision and F1, averaged over the classes that have images.
        per_class: Every class, in the model's order.
        confusion: Counts; row the true class, column the answer.
        reliability: How often answers of each confidence are right.
        seconds: Wall-clock time.
        skipped: Files that could not be used, with the reason.
    """

    n: int
    top1: float
    top5: float
    loss: float
    ece: float
    macro: MacroMetrics
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
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
    """Turns scores into an evaluation.

    Args:
        scores: float32 ``[n, classes]``.
        targets: int64 ``[n]``.
        labels: Class names.
        seconds: How long it took.
        skipped: Files that could not be used.
    """
    counts = confusion(scores, targets)
    per_class = by_class(counts, labels)
    return Evaluation(
        n=len(targets),
        top1=top1(scores, targets),
        top5=top_k(scores, targets, 5),
        loss=log_loss(scores, targets),
        ece=calibration_error(scores, targets),
        macro=macro(per_class),
        per_class=per_class,
        confusion=tuple(tuple(int(cell) for cell in row) for row in counts),
        reliability=reliability(scores, targets),
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
    register_layers()
    try:
        return keras.models.load_model(path, compile=False)
    # A damaged .keras file raises almost anything: zip, JSON, HDF5 and Keras' own errors.
    except Exception as error:
        raise RunError(
            f"A run's model must load. Received: {path} ({first_line(error)}). Restore the file or train again."
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

    def tell(done: int, total: int) -> None:
        progress(Event("evaluate", done, total))

    return np.concatenate(list(predicted(model, array, chosen, tell)))
