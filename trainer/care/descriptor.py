"""A descriptor of an image in 63 numbers: its lowest frequencies.

The cosine transform (DCT-II) of the luma, 8 frequencies in each direction without the mean,
normalized to length 1. That removes brightness and contrast; JPEG quality and size change
mostly the higher frequencies, which are left out. Mirroring only flips the sign of the odd
horizontal frequencies (:data:`ODD`), so the descriptor of the mirrored image needs no pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from edge_runtime.dataset.decoding import cores
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array

FREQUENCIES = 8
"""Frequencies in each direction, as in pHash."""

ODD: np.ndarray[Any, np.dtype[np.bool_]] = (np.arange(FREQUENCIES**2) % FREQUENCIES % 2 == 1)[1:]
"""Which of the numbers change sign when the image is mirrored, bool ``[63]``."""

LUMA = (0.299, 0.587, 0.114)
"""ITU-R 601-2, what Pillow's ``convert("L")`` computes."""

FLAT = 2.0
"""Images whose low frequencies have a smaller RMS, in levels, are blank and match nothing."""

ENOUGH_ROWS = 64
"""Minimum number of rows used per image."""

_MOST_THREADS = 8
"""More would only wait for the disk, and each thread takes about 25 MB."""

_BYTES = 4_000_000
"""Pixels that a thread converts to float32 at a time, in bytes of uint8."""


def descriptors(pixels: UInt8Array) -> Float32Array:
    """Returns the descriptors of images.

    Args:
        pixels: uint8 ``[n, height, width, 1 or 3]``, possibly memory-mapped; read once, in blocks.

    Returns:
        float32 ``[n, 63]``, each row of length 1; rows of blank images are 0.
    """
    count, height, width, channels = pixels.shape
    # At so few frequencies, some of the rows of a large image suffice.
    stride = max(1, height // ENOUGH_ROWS)
    height = len(range(0, height, stride))
    rows, columns = _cosines(height), _cosines(width)
    weights = np.array(LUMA if channels == 3 else (1.0,), np.float32)
    # Luma and the transform along rows are one matrix product.
    across = np.kron(columns.T, weights[:, None])
    result = np.zeros((count, FREQUENCIES**2 - 1), np.float32)

    def describe(block: slice) -> None:
        part = pixels[block, ::stride]
        flat = part.reshape(len(part) * height, width * channels).astype(np.float32)
        found = rows @ (flat @ across).reshape(len(part), height, FREQUENCIES)
        found = found.reshape(len(part), FREQUENCIES**2)[:, 1:]
        norm = np.linalg.norm(found, axis=1, keepdims=True)
        # Parseval: the norm divided by the root of the pixel count is the RMS in levels.
        seen = norm > FLAT * (height * width) ** 0.5
        result[block] = np.where(seen, found / np.maximum(norm, 1e-6), 0.0)

    with ThreadPoolExecutor(min(cores(), _MOST_THREADS)) as pool:
        list(pool.map(describe, blocks(count, max(1, _BYTES // (height * width * channels)))))
    return result


def mirrored(described: Float32Array) -> Float32Array:
    """Returns the descriptors of the images mirrored horizontally.

    Args:
        described: float32 ``[n, 63]``.
    """
    return np.where(ODD, -described, described)


def blocks(count: int, step: int) -> Iterator[slice]:
    """Yields slices of at most ``step`` that cover ``range(count)``."""
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def _cosines(size: int) -> Float32Array:
    """The first rows of the orthonormal DCT-II matrix, float32 ``[8, size]``; rows from ``size`` on are 0."""
    order = np.arange(FREQUENCIES)[:, None]
    waves = np.cos(np.pi * (2 * np.arange(size) + 1) * order / (2 * size)) * np.sqrt(2 / size)
    waves[0] /= np.sqrt(2)
    waves[size:] = 0
    return np.asarray(waves, np.float32)
