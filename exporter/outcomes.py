"""Which images the models of a check classified correctly, for image-by-image comparison with later checks.

Images are ordered by content, not by file name, so that two checks of the same images give matching
rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_runtime.dataset import Item
from edge_runtime.errors import BundleError
from edge_runtime.result import Float32Array
from exporter.drift import BoolArray, IntArray
from exporter.images import PixelTable, set_sha256
from exporter.judging import Judgement


@dataclass(frozen=True)
class Outcomes:
    """Correct and wrong answers of every artifact.

    Attributes:
        data_sha256: Hash of the images' contents, as in ``check.json``.
        truth_sha256: Hash of their true classes by name, in the order of ``right``.
        right: By artifact, bool ``[n]``: whether the image is classified correctly, ordered by image
            content.
    """

    data_sha256: str
    truth_sha256: str
    right: Mapping[str, BoolArray]


def outcomes_of(found: Judgement, table: PixelTable) -> Outcomes:
    """Collects the outcomes of a check.

    Args:
        found: The scores.
        table: The images they belong to.
    """
    order = content_order(table.images.items, table.images.labels)
    names = "\n".join(table.images.labels[table.truth[row]] for row in order)
    return Outcomes(
        data_sha256=set_sha256(table.images),
        truth_sha256=hashlib.sha256(names.encode()).hexdigest(),
        right={name: _right(scores, table.truth)[order] for name, scores in found.scores.items()},
    )


def content_order(items: Sequence[Item], labels: Sequence[str]) -> list[int]:
    """Rows by content; copies of one image under several classes by class.

    Args:
        items: The images.
        labels: Class names.
    """
    return sorted(range(len(items)), key=lambda row: (items[row].sha256, labels[items[row].label]))


def pack(right: BoolArray) -> str:
    """Packs correct answers as hex digits, four images each, the first image in the highest bit.

    Args:
        right: bool ``[n]``.
    """
    return np.packbits(right).tobytes().hex()


def unpack(packed: str, n: int) -> BoolArray:
    """Reverses :func:`pack`.

    Args:
        packed: Hex digits.
        n: Number of images.

    Raises:
        BundleError: It does not hold n images.
    """
    try:
        data = bytes.fromhex(packed)
    except ValueError:
        data = b""
    if len(data) != (n + 7) // 8:
        raise BundleError(
            f"A record of correct answers must hold one bit for each of {n} images. Received: {len(packed)} "
            "hex digits. Restore the file."
        )
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=n).astype(bool)


def _right(scores: Float32Array, truth: IntArray) -> BoolArray:
    right: BoolArray = scores.argmax(axis=1) == truth
    return right
