"""What each calibration image showed: the extremes of every tensor, so that any number of images has its ranges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.common.cores import cores
from edge_runtime.engines.result import Float32Array
from exporter.quantize.graph import Ranges

MOST_WORKERS = 8
"""Images that run at once; each holds all tensors of the model in memory."""


def workers(images: int) -> int:
    """How many images to run at once.

    Args:
        images: How many there are.
    """
    return max(1, min(cores(), images, MOST_WORKERS))


@dataclass(frozen=True)
class Recording:
    """The extremes of each tensor on each image.

    Attributes:
        names: The tensors.
        lows: Smallest values, float32 ``[images, tensors]``.
        highs: Largest values, likewise.
    """

    names: tuple[str, ...]
    lows: Float32Array
    highs: Float32Array

    @classmethod
    def of(cls, names: tuple[str, ...], rows: Iterable[Any]) -> Recording:
        """Collects the images.

        Args:
            names: The tensors.
            rows: Smallest and largest values of each image, float32 ``[2, tensors]``; at least one image.
        """
        table = np.stack([np.asarray(row, dtype=np.float32) for row in rows])
        return cls(names, table[:, 0], table[:, 1])

    def ranges(self, count: int | None = None) -> Ranges:
        """The ranges of the first images; NaN is no extreme.

        Args:
            count: How many, at least one; None is all.
        """
        low, high = np.fmin.reduce(self.lows[:count]), np.fmax.reduce(self.highs[:count])
        return {
            name: (float(least), float(most)) for name, least, most in zip(self.names, low, high, strict=True)
        }


def fewer(images: int) -> tuple[int, ...]:
    """The smaller numbers of calibration images for which a result is compared: a quarter and half.

    Args:
        images: Number of calibration images.
    """
    return tuple(sorted({max(1, images // 4), max(1, images // 2)} - {images}))
