"""Top-1 of each class, and the classes that cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet
from edge_runtime.engines.result import Float32Array
from exporter.evidence.record import ClassChange, ClassReport

MissingClasses = Literal["error", "allow"]
"""How to treat a class without images: it cannot be judged, which is an error unless allowed."""

_NAMED = 5


def check_classes(images: ImageSet, missing: MissingClasses) -> tuple[str, ...]:
    """Checks that every class has an image that judges it.

    Args:
        images: The judging images.
        missing: ``error``, or ``allow`` for a sample of many classes.

    Returns:
        The classes without images, if allowed.

    Raises:
        DataError: There is one, and that is not allowed.
    """
    present = {item.label for item in images.items}
    absent = tuple(label for index, label in enumerate(images.labels) if index not in present)
    if absent and missing == "error":
        more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
        named = ", ".join(repr(label[:40]) for label in absent[:_NAMED])
        raise DataError(
            f"Every class needs an image that judges it. Received: {len(absent)} of {len(images.labels)} classes "
            f"without images in {images.source}: {named}{more}. Add images, or pass --missing-classes allow."
        )
    return absent


def class_reports(
    reference: Float32Array, scores: Mapping[str, Float32Array], truth: IntArray, labels: tuple[str, ...]
) -> tuple[ClassReport, ...]:
    """Measures each class that has images, in the order of the labels.

    Args:
        reference: The full model's scores ``[n, classes]``.
        scores: Scores of each artifact, by name.
        truth: True class indices ``[n]``.
        labels: Class names.
    """
    images = np.bincount(truth, minlength=len(labels))
    right = reference.argmax(axis=1) == truth
    hits = np.bincount(truth[right], minlength=len(labels))
    lost, won = {}, {}
    for name, found in scores.items():
        now = found.argmax(axis=1) == truth
        lost[name] = np.bincount(truth[right & ~now], minlength=len(labels))
        won[name] = np.bincount(truth[~right & now], minlength=len(labels))
    return tuple(
        ClassReport(
            label=labels[index],
            n=int(images[index]),
            top1=float(hits[index] / images[index]),
            artifacts={
                name: ClassChange(
                    top1=float((hits[index] - lost[name][index] + won[name][index]) / images[index]),
                    lost=int(lost[name][index]),
                    won=int(won[name][index]),
                    delta=float((won[name][index] - lost[name][index]) / images[index]),
                )
                for name in scores
            },
        )
        for index in np.flatnonzero(images)
    )
