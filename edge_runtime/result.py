"""What a classifier answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from edge_runtime.errors import ModelFileError

Float32Array: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class and its score.

    Attributes:
        label: The class name.
        index: Its place among the model's outputs.
        score: 0..1; the scores of all classes sum to 1.
    """

    label: str
    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """The best classes of one image, best first.

    Attributes:
        predictions: At least one, sorted by falling score.
        margin: Best score minus second best, 0..1; 1 - score when there is one class.
    """

    predictions: tuple[Prediction, ...]
    margin: float

    @property
    def top(self) -> Prediction:
        """The best class."""
        return self.predictions[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "label": self.top.label,
            "score": self.top.score,
            "margin": self.margin,
            "predictions": [
                {"label": entry.label, "index": entry.index, "score": entry.score}
                for entry in self.predictions
            ],
        }


def rank(scores: Float32Array, labels: Sequence[str], top_k: int) -> Result:
    """Turns scores into a result; equal scores keep the order of the classes.

    Args:
        scores: float32 ``[classes]``.
        labels: Class names.
        top_k: How many classes to return; more than there are gives all.

    Raises:
        ModelFileError: A score is not a finite number, so that no order means anything.
    """
    if not np.isfinite(scores).all():
        raise ModelFileError(
            "A model must answer with finite scores. Received: NaN or infinity. "
            "Run: snapship selftest BUNDLE, and export the model again."
        )
    count = len(labels)
    wanted = min(max(top_k, 2), count)
    if wanted < count:
        # Everything at least as good as the wanted-th best, so that ties are cut by class order.
        limit = np.partition(scores, count - wanted)[count - wanted]
        best = np.flatnonzero(scores >= limit)
    else:
        best = np.arange(count)
    order = best[np.argsort(-scores[best], kind="stable")][:wanted]
    ranked = [(int(index), float(scores[index])) for index in order]
    margin = ranked[0][1] - ranked[1][1] if count > 1 else 1.0 - ranked[0][1]
    predictions = tuple(Prediction(labels[index], index, score) for index, score in ranked[:top_k])
    return Result(predictions, margin)
