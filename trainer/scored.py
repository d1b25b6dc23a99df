"""Images with a model's scores, whatever scored them: what the pages about a model are made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.cache import Int64Array


@dataclass(frozen=True)
class Scored:
    """Labelled images and what a model said of them.

    Attributes:
        labels: Class names in the order of the scores.
        refs: Name of each image.
        scores: float32 ``[n, classes]``, rows summing to 1.
        targets: int64 ``[n]``, the true classes.
        pixels: Raw pixels of one image by its place, uint8 ``[height, width, channels]``.
        predict: Scores of further pixels, uint8 ``[m, height, width, channels]`` to
            float32 ``[m, classes]``.
        model: The ``keras.Model`` on raw pixels, None where there is none to look into.
    """

    labels: tuple[str, ...]
    refs: tuple[str, ...]
    scores: Float32Array
    targets: Int64Array
    pixels: Callable[[int], UInt8Array]
    predict: Callable[[UInt8Array], Float32Array]
    model: Any = None
