"""Result options, with the names and meaning of MediaPipe's Image Classifier.

The temperature is added: with it, a score of 0.8 is right eight times in ten. Guo et al. 2017, On
Calibration of Modern Neural Networks: ``softmax(z / T)``. Scores p are softmax outputs, whose
logarithms are the logits z up to a constant, so that this is ``p^(1/T)`` renormalised. The exporter
fits T with the same floor; a test holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec.structs import force_setattr

from edge_runtime.common.errors import UnknownNameError, UsageError
from edge_runtime.common.text import MAX_QUOTED, cut, quoted
from edge_runtime.engines.result import Float32Array, Result, check_finite, rank

IndexArray: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]

T_RANGE = (0.01, 100.0)
"""Allowed temperatures; beyond them, one score is 1 or all are equal."""

FLOOR_MASS = 1.0 / 512.0
"""Sum of the floors of all classes: a score of 0 has no logarithm."""

_ALL = -1
"""MediaPipe's value for every class."""


class ResultOptions(msgspec.Struct, frozen=True):
    """How :meth:`~edge_runtime.classifier.Classifier.classify` turns scores into a result.

    Applied in this order: temperature, lists, threshold, number. Scores are not
    renormalized over the remaining classes.

    Attributes:
        max_results: Number of classes to return, best first, instead of ``top_k``; -1 for all.
        score_threshold: Classes with a lower score, 0..1, are dropped; the result may be empty.
        category_allowlist: Only these classes are returned; empty for all.
        category_denylist: These classes are never returned; excludes an allowlist.
        temperature: T of ``p^(1/T)`` renormalised; ``artifact`` takes the one that the
            export fitted on labelled images; None leaves the scores as the model gives them.

    Raises:
        UsageError: A value is out of its range, or both lists are given.
    """

    max_results: int | None = None
    score_threshold: float | None = None
    category_allowlist: Sequence[str] = ()
    category_denylist: Sequence[str] = ()
    temperature: float | Literal["artifact"] | None = None

    def __post_init__(self) -> None:
        if self.max_results is not None and self.max_results < 1 and self.max_results != _ALL:
            raise UsageError(
                f"max_results must be at least 1, or -1 for all. Received: {self.max_results}. "
                "Pass max_results=5."
            )
        if self.score_threshold is not None and not 0.0 <= self.score_threshold <= 1.0:
            raise UsageError(
                f"score_threshold must be 0..1. Received: {self.score_threshold}. Pass score_threshold=0.5."
            )
        if isinstance(self.temperature, str):
            if self.temperature != "artifact":
                raise UnknownNameError.of("temperature", self.temperature, ["artifact", "a number"])
        elif self.temperature is not None:
            _check_temperature(self.temperature, "Pass temperature=1.5.")
        for name in ("category_allowlist", "category_denylist"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise UsageError(
                    f"{name} must be a list of labels. Received: the text {quoted(given)}. Pass it in a list."
                )
            labels = tuple(given)
            for label in labels:
                if not isinstance(label, str):
                    raise UsageError(
                        f"{name} must be a list of labels, which are text. Received: {quoted(label)}, "
                        f"{type(label).__name__}. Pass the label's name."
                    )
            force_setattr(self, name, labels)
        if self.category_allowlist and self.category_denylist:
            raise UsageError(
                "An allowlist excludes a denylist. Received: category_allowlist and category_denylist. "
                "Pass one of them."
            )

    def bound_to(self, labels: tuple[str, ...], fitted: float) -> BoundOptions:
        """Resolves label names for one artifact, once for all images.

        Args:
            labels: The model's labels; a name that occurs twice means both classes.
            fitted: The artifact's own temperature.

        Raises:
            UnknownNameError: A listed label is not one of the model's.
            UsageError: No class is left, or the artifact's temperature is unusable.
        """
        temperature = 1.0
        if self.temperature == "artifact":
            _check_temperature(fitted, "Export the bundle again, or pass a number.")
            temperature = fitted
        elif self.temperature is not None:
            temperature = self.temperature
        most = len(labels) if self.max_results == _ALL else self.max_results
        threshold = self.score_threshold or 0.0
        return BoundOptions(labels, temperature, self._kept(labels), threshold, most)

    def _kept(self, labels: tuple[str, ...]) -> IndexArray | None:
        listed = self.category_allowlist or self.category_denylist
        if not listed:
            return None
        known, wanted = set(labels), set(listed)
        for label in listed:
            if label not in known:
                raise _unknown(label, labels)
        allow = bool(self.category_allowlist)
        kept = np.array([index for index, label in enumerate(labels) if (label in wanted) is allow], np.intp)
        if not len(kept):
            raise UsageError(
                f"At least one class must be left. Received: a category_denylist of all {len(labels)} classes. "
                "Shorten it."
            )
        return kept


class BoundOptions(msgspec.Struct, frozen=True, eq=False):
    """Options resolved for one model; made by :meth:`ResultOptions.bound_to`.

    Attributes:
        labels: The model's labels.
        temperature: 1 leaves scores as they are.
        kept: Indices of the classes that may be returned, ascending; None for all.
        threshold: Lowest score to return, 0..1.
        max_results: Number of classes; None to use the ``top_k`` of the call.
    """

    labels: tuple[str, ...]
    temperature: float
    kept: IndexArray | None
    threshold: float
    max_results: int | None

    def rank(self, scores: Float32Array, top_k: int) -> Result:
        """Turns scores into a result, as :func:`edge_runtime.engines.result.rank` does.

        Args:
            scores: float32 ``[classes]``, as the model gives them.
            top_k: Number of classes if the options do not set it.

        Returns:
            At most that many classes. The margin is between the two best classes that the lists
            leave, regardless of the threshold.
        """
        most = top_k if self.max_results is None else self.max_results
        if self.temperature != 1.0:
            # Before the temperature, where an infinity would only cause a NumPy warning.
            check_finite(scores)
            scores = softened(scores, self.temperature)
        result = rank(scores, self.labels, most, self.kept)
        if self.threshold > 0.0:
            best = tuple(entry for entry in result.predictions if entry.score >= self.threshold)
            return Result(best, result.margin)
        return result


def _check_temperature(value: float, cure: str) -> None:
    low, high = T_RANGE
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"A temperature must be {low}..{high:g}. Received: {value}. {cure}")


def _unknown(label: str, labels: Sequence[str]) -> UnknownNameError:
    """Suggests similar labels; listing a thousand would not help."""
    from difflib import get_close_matches

    # Case is the usual mistake, and difflib counts it like any other letter.
    by_lower = {known.lower(): known for known in reversed(labels)}
    # No label resembles a text longer than all of them, and searching takes long.
    start = label[:MAX_QUOTED].lower()
    near = [by_lower[name] for name in get_close_matches(start, list(by_lower), n=5, cutoff=0.5)]
    if near:
        return UnknownNameError(
            f"A listed class must be one of the model's labels. Received: {quoted(label)}. "
            f"Did you mean: {cut(', '.join(near), 500)}?"
        )
    some = cut(", ".join(labels[:10]), 500) + (f", ... ({len(labels)} in all)" if len(labels) > 10 else "")
    return UnknownNameError.of("listed class", label, [some])


def softened(scores: Float32Array, temperature: float) -> Float32Array:
    """Rescales scores to ``p^(1/T)``, renormalised.

    Args:
        scores: float32 ``[classes]``, 0..1.
        temperature: T; above 1 flattens, below 1 sharpens.

    Returns:
        float32 ``[classes]``, summing to 1.
    """
    logits = np.log(np.maximum(scores.astype(np.float64), FLOOR_MASS / len(scores))) / temperature
    powers = np.exp(logits - logits.max())
    shares: Float32Array = (powers / powers.sum()).astype(np.float32)
    return shares
