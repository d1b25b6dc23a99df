"""Accuracy on changed images: how much blur, dark, noise, ... a model bears."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_runtime.preprocess import UInt8Array
from trainer.cache import Int64Array
from trainer.insight.corruptions import FAMILIES, SEVERITIES, corrupted
from trainer.insight.sampling import spread_over_classes
from trainer.metrics import top1
from trainer.progress import Event, Progress, silent
from trainer.scored import Scored

_CHUNK = 64

FEWEST_IMAGES = 30
"""With fewer images a curve is mostly chance."""


@dataclass(frozen=True)
class RobustnessCurve:
    """One family.

    Attributes:
        family: Its name.
        amounts: What each severity means, for people.
        top1: Share right at each severity, 0..1.
    """

    family: str
    amounts: tuple[str, ...]
    top1: tuple[float, ...]


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every family.

    Attributes:
        images: Images measured, drawn evenly over the classes.
        severities: 1 to 5, those that were measured.
        clean: Share of the same images that is right unchanged, 0..1.
        curves: Every family.
    """

    images: int
    severities: tuple[int, ...]
    clean: float
    curves: tuple[RobustnessCurve, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def measure_robustness(
    scored: Scored,
    *,
    images: int = 200,
    severities: Sequence[int] = SEVERITIES,
    progress: Progress = silent,
) -> Robustness:
    """Scores changed copies of some images.

    Args:
        scored: Images and the model.
        images: Most images.
        severities: Which of 1 to 5.
        progress: Told of every batch.
    """
    chosen = spread_over_classes(scored.targets, images)
    targets = scored.targets[chosen]
    tasks = [
        (family, severity, int(place)) for family in FAMILIES for severity in severities for place in chosen
    ]
    progress(Event("robustness", 0, len(tasks), f"robustness: {len(tasks)} changed images"))
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
    right = answers.reshape(len(FAMILIES), len(severities), len(chosen)) == targets
    curves = tuple(
        RobustnessCurve(
            family.name,
            tuple(family.amount_text(severity) for severity in severities),
            tuple(float(share) for share in shares),
        )
        for family, shares in zip(FAMILIES, right.mean(axis=2), strict=True)
    )
    return Robustness(len(chosen), tuple(severities), top1(scored.scores[chosen], targets), curves)


def seconds_per_image(scored: Scored) -> float:
    """Tries out what one severity of every family takes for one image, in seconds.

    Args:
        scored: Images and the model.
    """
    images = np.stack([scored.pixels(place) for place in range(min(_CHUNK, len(scored.targets)))])
    started = time.monotonic()
    for family in FAMILIES:
        corrupted(images[0], family, 3, 0)
    changing = time.monotonic() - started
    started = time.monotonic()
    scored.predict(images)
    return changing + len(FAMILIES) * (time.monotonic() - started) / len(images)


def _answers(scored: Scored, batch: UInt8Array, whole: bool) -> Int64Array:
    """Best classes of a batch; ``whole`` fills it up, as a Keras model is compiled again for another shape."""
    count = len(batch)
    if whole and scored.model is not None and count < _CHUNK:
        batch = np.concatenate([batch, np.repeat(batch[-1:], _CHUNK - count, axis=0)])
    answers: Int64Array = scored.predict(batch)[:count].argmax(axis=1).astype(np.int64)
    return answers
