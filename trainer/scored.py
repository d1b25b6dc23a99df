"""Labelled images with a model's scores, from which the pages are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.cache import Int64Array


@dataclass(frozen=True)
class ScoredImages:
    """Labelled images with a model's scores.

    Attributes:
        labels: Class names in the order of the scores.
        refs: Name of each image.
        scores: float32 ``[n, classes]``, rows summing to 1.
        targets: int64 ``[n]``, the true classes.
        pixels: Returns the raw pixels of one image by index, uint8 ``[height, width, channels]``.
        predict: Scores further images, uint8 ``[m, height, width, channels]`` to float32
            ``[m, classes]``.
        model: The ``keras.Model`` on raw pixels; None for a bundle.
    """

    labels: tuple[str, ...]
    refs: tuple[str, ...]
    scores: Float32Array
    targets: Int64Array
    pixels: Callable[[int], UInt8Array]
    predict: Callable[[UInt8Array], Float32Array]
    model: Any = None
