"""A float file and a quantized one whose tensors are compared, whatever their format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from edge_runtime.preprocess import UInt8Array

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclass(frozen=True)
class TensorPair:
    """One tensor that both files have.

    Attributes:
        name: Its name in the float file.
        op: The operation that makes it.
        scale: Its quantization scale; None for a float tensor.
    """

    name: str
    op: str
    scale: float | None


class PairedFiles(Protocol):
    """A float file and a quantized one, opened to compare tensors.

    Attributes:
        pairs: The tensors that both have, in execution order.
    """

    pairs: tuple[TensorPair, ...]

    def run(self, image: UInt8Array) -> Iterable[tuple[FloatArray, FloatArray]]:
        """Runs both on an image ``[height, width, channels]``; yields float and dequantized values."""
        ...
