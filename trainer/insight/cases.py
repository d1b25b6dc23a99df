"""Single images with their scores: mistakes, close calls, correct answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.cache import Int64Array
from trainer.insight.pictures import thumbnail
from trainer.scored import ScoredImages

ALL_CLASSES = 10
"""Maximum number of classes for which every score is shown; with more, the best and the true class."""

_BEST = 5


@dataclass(frozen=True)
class ScoreBar:
    """The score of one class; ``true`` marks the true class."""

    label: str
    score: float
    true: bool


@dataclass(frozen=True)
class Case:
    """One image.

    Attributes:
        image: Data URI of the image at the model's input size.
        ref: Its name.
        truth: The true class; None if unknown.
        answer: The predicted class.
        score: Its score, 0..1.
        margin: Difference to the second best score, 0..1.
        bars: Scores, best first.
        hidden: Number of classes whose scores are not shown.
    """

    image: str
    ref: str
    truth: str | None
    answer: str
    score: float
    margin: float
    bars: tuple[ScoreBar, ...]
    hidden: int


def case(
    image: UInt8Array, ref: str, scores: Float32Array, labels: tuple[str, ...], truth: int | None
) -> Case:
    """Describes one image.

    Args:
        image: uint8 ``[height, width, channels]``.
        ref: Its name.
        scores: float32 ``[classes]``.
        labels: Class names.
        truth: Index of the true class; None if unknown.
    """
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    shown = order if len(labels) <= ALL_CLASSES else order[:_BEST]
    if truth is not None and truth not in shown:
        shown = [*shown, truth]
    return Case(
        image=thumbnail(image),
        ref=ref,
        truth=None if truth is None else labels[truth],
        answer=labels[order[0]],
        score=float(scores[order[0]]),
        margin=float(scores[order[0]] - scores[order[1]]) if len(order) > 1 else 1.0,
        bars=tuple(ScoreBar(labels[place], float(scores[place]), place == truth) for place in shown),
        hidden=len(labels) - len(shown),
    )


def cases(scored: ScoredImages, places: Int64Array) -> tuple[Case, ...]:
    """Describes some images of a scored set.

    Args:
        scored: The images with their scores.
        places: Indices of the images.
    """
    return tuple(
        case(scored.pixels(int(place)), scored.refs[place], scored.scores[place], scored.labels,
             int(scored.targets[place]))
        for place in places
    )  # fmt: skip


def surest_mistakes(scores: Float32Array, targets: Int64Array, count: int) -> Int64Array:
    """Returns the indices of wrong answers, the most confident first.

    Args:
        scores: float32 ``[n, classes]``.
        targets: int64 ``[n]``.
        count: Maximum number of indices.
    """
    wrong = np.flatnonzero(scores.argmax(axis=1) != targets)
    return wrong[np.argsort(-scores[wrong].max(axis=1), kind="stable")][:count]


def closest_calls(scores: Float32Array, count: int) -> Int64Array:
    """Returns the indices of the smallest gaps between the two best scores, correct or not.

    Args:
        scores: float32 ``[n, classes]``.
        count: Maximum number of indices.
    """
    if scores.shape[1] < 2:
        return np.zeros(0, np.int64)
    best = np.partition(scores, -2, axis=1)[:, -2:]
    return np.argsort(best[:, 1] - best[:, 0], kind="stable")[:count]


def surest_right(scores: Float32Array, targets: Int64Array, count: int) -> Int64Array:
    """Returns the indices of correct answers: the most confident of each class first, then the others.

    Args:
        scores: float32 ``[n, classes]``.
        targets: int64 ``[n]``.
        count: Maximum number of indices.
    """
    right = np.flatnonzero(scores.argmax(axis=1) == targets)
    ranked = right[np.argsort(-scores[right].max(axis=1), kind="stable")]
    _, first = np.unique(targets[ranked], return_index=True)
    leaders = ranked[np.sort(first)]
    rest = ranked[~np.isin(ranked, leaders)]
    return np.concatenate([leaders, rest])[:count]
