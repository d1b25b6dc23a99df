"""The photos on which models differ: copies of one photo together, and what each model answers."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.engines.result import Float32Array
from exporter.source.images import PixelTable


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo on which an artifact and the full model differ.

    Attributes:
        file: Name of its first copy.
        sha256: Hash of that file, which identifies it in answers.
        copies: Hashes of all files with the same pixels.
        rows: Its rows in the table of images.
        classes: The distinct answers as class indices, in an order that does not say whose they are.
    """

    file: str
    sha256: str
    copies: frozenset[str]
    rows: IntArray
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Answers:
    """The classes that the models name, int64 ``[n]`` each.

    Attributes:
        full: By the full model.
        artifacts: By each artifact.
    """

    full: IntArray
    artifacts: Mapping[str, IntArray]

    @classmethod
    def of(cls, reference: Float32Array, scores: Mapping[str, Float32Array]) -> Answers:
        """The best classes of score tables.

        Args:
            reference: The full model's, float32 ``[n, classes]``.
            scores: Each artifact's.
        """
        return cls(reference.argmax(axis=1), {name: found.argmax(axis=1) for name, found in scores.items()})


def differing_photos(answers: Answers, table: PixelTable) -> tuple[Photo, ...]:
    """The photos to ask about: those on which any artifact gives another answer than the full model.

    Copies count as one photo if a model sees the same pixels, whatever their files are called and however they
    are encoded.

    Args:
        answers: The models' answers to the table.
        table: The images.

    Returns:
        In an order that depends on their content alone.
    """
    differs = np.zeros(len(answers.full), dtype=bool)
    for found in answers.artifacts.values():
        differs |= found != answers.full
    if not differs.any():
        return ()
    seen = [hashlib.sha256(np.ascontiguousarray(image).data).hexdigest() for image in table.pixels]
    wanted = {seen[row] for row in np.flatnonzero(differs)}
    rows: dict[str, list[int]] = {}
    for row, pixels in enumerate(seen):
        if pixels in wanted:
            rows.setdefault(pixels, []).append(row)
    return tuple(_photo(pixels, found, answers, table) for pixels, found in sorted(rows.items()))


def _photo(pixels: str, rows: list[int], answers: Answers, table: PixelTable) -> Photo:
    items = [table.images.items[row] for row in rows]
    named = sorted({int(found[row]) for found in (answers.full, *answers.artifacts.values()) for row in rows})
    # Shuffled by content: the place of a button says nothing about the model, and every page has the same.
    random.Random(pixels).shuffle(named)
    return Photo(
        file=items[0].ref,
        sha256=items[0].sha256,
        copies=frozenset(item.sha256 for item in items),
        rows=np.array(rows, dtype=np.int64),
        classes=tuple(named),
    )
