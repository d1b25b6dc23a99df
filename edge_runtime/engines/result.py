"""Classification results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from edge_runtime.common.errors import ModelFileError, UsageError

try:
    from edge_runtime import _native
except ImportError:
    # Built without a C compiler: NumPy ranks.
    _native = None  # type: ignore[assignment]

_FEW = 100
"""Up to this top_k, a partial selection beats sorting all scores; the default is 5."""

Float32Array: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]


class Prediction(msgspec.Struct, frozen=True):
    """One class and its score.

    Attributes:
        label: The class name.
        index: Its place among the model's outputs.
        score: 0..1; the scores of all classes sum to 1.
    """

    label: str
    index: int
    score: float


class Result(msgspec.Struct, frozen=True):
    """The best classes of one image, best first; falsy when empty.

    Only a ``score_threshold`` of :class:`~edge_runtime.options.ResultOptions` can leave it empty.

    Attributes:
        predictions: Sorted by descending score.
        margin: Best score minus second best, 0..1; 1 - score for a single class.
        known: Whether the image shows something of the kind that the model was trained on; None if the
            artifact has no rule for it.
        answered: Whether the best class may be taken for the answer: the image is known, and the model
            sure enough; None if the artifact has no rule for either.
        candidates: The classes one of which is true for the share of images that the artifact's rule
            names, best first; None if it has no rule for them.
    """

    predictions: tuple[Prediction, ...]
    margin: float
    known: bool | None = None
    answered: bool | None = None
    candidates: tuple[Prediction, ...] | None = None

    def __bool__(self) -> bool:
        return bool(self.predictions)

    @property
    def top(self) -> Prediction:
        """The best class.

        Raises:
            UsageError: The result is empty.
        """
        if not self.predictions:
            # An error rather than None: callers without a threshold need no check.
            raise UsageError(
                "An empty result has no best class. Received: a result in which no class reached score_threshold. "
                "Test it first: if result: ..."
            )
        return self.predictions[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; label and score are None in an empty result, and what no rule says is absent."""
        plain: dict[str, Any] = {
            "label": self.top.label if self else None,
            "score": self.top.score if self else None,
            "margin": self.margin,
        }
        if self.known is not None:
            plain["known"] = self.known
        if self.answered is not None:
            plain["answered"] = self.answered
        if self.candidates is not None:
            plain["candidates"] = _plain(self.candidates)
        plain["predictions"] = _plain(self.predictions)
        return plain


def _plain(predictions: tuple[Prediction, ...]) -> list[dict[str, Any]]:
    return [{"label": entry.label, "index": entry.index, "score": entry.score} for entry in predictions]


def check_finite(scores: Float32Array) -> None:
    """Rejects scores that cannot be ordered.

    Args:
        scores: float32 ``[classes]``.

    Raises:
        ModelFileError: A score is not a finite number.
    """
    if not np.isfinite(scores).all():
        raise ModelFileError(
            "A model's scores must be finite. Received: NaN or infinity. "
            "Run: snapship selftest BUNDLE, and export the model again."
        )


def rank(
    scores: Float32Array,
    labels: Sequence[str],
    top_k: int,
    among: np.ndarray[Any, np.dtype[np.intp]] | None = None,
) -> Result:
    """Turns scores into a result; equal scores keep the order of the classes.

    Args:
        scores: float32 ``[classes]``.
        labels: Class names.
        top_k: Number of classes to return; more than exist returns all.
        among: Indices of the classes to consider, ascending; None for all.

    Raises:
        ModelFileError: A score is not a finite number.
    """
    if among is None:
        ranked = _best(scores, max(top_k, 2))
    else:
        check_finite(scores)
        ranked = [(int(among[place]), score) for place, score in _best(scores[among], max(top_k, 2))]
    margin = ranked[0][1] - ranked[1][1] if len(ranked) > 1 else 1.0 - ranked[0][1]
    predictions = tuple(Prediction(labels[index], index, score) for index, score in ranked[:top_k])
    return Result(predictions, margin)


def _best(scores: Float32Array, count: int) -> list[tuple[int, float]]:
    """Index and score of the best, best first, equal ones by index."""
    wanted = min(count, len(scores))
    if _native is not None and wanted <= _FEW:
        ranked = _native.best(np.ascontiguousarray(scores, np.float32), wanted)
        if ranked is not None:
            return ranked
    check_finite(scores)
    if wanted < len(scores):
        # Everything at least as good as the wanted-th best, so that ties are cut by class order.
        limit = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
        best = np.flatnonzero(scores >= limit)
    else:
        best = np.arange(len(scores))
    order = best[np.argsort(-scores[best], kind="stable")][:wanted]
    return [(int(index), float(scores[index])) for index in order]
