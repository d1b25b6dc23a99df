"""Robustness: accuracy on images with blur, noise and other corruptions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_runtime.preprocess import UInt8Array
from trainer.cache import Int64Array
from trainer.insight.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from trainer.insight.sampling import spread_over_classes
from trainer.metrics import top1
from trainer.progress import Event, Progress, silent
from trainer.scored import ScoredImages

_CHUNK = 64

FEWEST_IMAGES = 30
"""With fewer images a curve is mostly noise."""


@dataclass(frozen=True)
class RobustnessCurve:
    """Accuracy under one family of corruptions.

    Attributes:
        family: Name of the family.
        amounts: The amount at each severity, as text.
        top1: Top-1 accuracy at each severity, 0..1.
    """

    family: str
    amounts: tuple[str, ...]
    top1: tuple[float, ...]


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every family.

    Attributes:
        images: Number of images, drawn evenly from the classes.
        severities: The severities measured, of 1 to 5.
        clean: Top-1 accuracy on the same images unchanged, 0..1.
        curves: One per family.
    """

    images: int
    severities: tuple[int, ...]
    clean: float
    curves: tuple[RobustnessCurve, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def measure_robustness(
    scored: ScoredImages,
    *,
    images: int = 200,
    severities: Sequence[int] = SEVERITIES,
    progress: Progress = silent,
) -> Robustness:
    """Measures the accuracy on corrupted copies of some images.

    Args:
        scored: Images and the model.
        images: Maximum number of images.
        severities: The severities to measure, of 1 to 5.
        progress: Progress callback, called for every batch.
    """
    chosen = spread_over_classes(scored.targets, images)
    targets = scored.targets[chosen]
    tasks = [
        (family, severity, int(place))
        for family in CORRUPTIONS
        for severity in severities
        for place in chosen
    ]
    progress(Event("robustness", 0, len(tasks), f"robustness: {len(tasks)} corrupted images"))
    answers = np.empty(len(tasks), np.int64)
    for start in range(0, len(tasks), _CHUNK):
        batch = np.stack(
            [
                corrupted(scored.pixels(place), family, severity, place)
                for family, severity, place in tasks[start : start + _CHUNK]
            ]
        )
        answers[start : start + len(batch)] = _answers(scored, batch, whole=start > 0)
        progress(Event("robustness", start + len(batch), len(tasks)))
    right = answers.reshape(len(CORRUPTIONS), len(severities), len(chosen)) == targets
    curves = tuple(
        RobustnessCurve(
            family.name,
            tuple(family.amount_text(severity) for severity in severities),
            tuple(float(share) for share in shares),
        )
        for family, shares in zip(CORRUPTIONS, right.mean(axis=2), strict=True)
    )
    return Robustness(len(chosen), tuple(severities), top1(scored.scores[chosen], targets), curves)


def seconds_per_image(scored: ScoredImages) -> float:
    """Measures how many seconds one severity of every family takes per image.

    Args:
        scored: Images and the model.
    """
    images = np.stack([scored.pixels(place) for place in range(min(_CHUNK, len(scored.targets)))])
    started = time.monotonic()
    for family in CORRUPTIONS:
        corrupted(images[0], family, 3, 0)
    changing = time.monotonic() - started
    started = time.monotonic()
    scored.predict(images)
    return changing + len(CORRUPTIONS) * (time.monotonic() - started) / len(images)


def _answers(scored: ScoredImages, batch: UInt8Array, whole: bool) -> Int64Array:
    """Predicted classes of a batch; ``whole`` pads it, since Keras compiles again for another shape."""
    count = len(batch)
    if whole and scored.model is not None and count < _CHUNK:
        batch = np.concatenate([batch, np.repeat(batch[-1:], _CHUNK - count, axis=0)])
    answers: Int64Array = scored.predict(batch)[:count].argmax(axis=1).astype(np.int64)
    return answers
