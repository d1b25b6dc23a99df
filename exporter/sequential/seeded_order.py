"""The random order of a sequential check: the same images and seed give the same order on every machine."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

from edge_runtime.dataset import ImageSet, Item


def in_seeded_order(images: ImageSet, seed: int) -> ImageSet:
    """Shuffles a set by the hashes of its images' contents, so that file names do not matter.

    One more image does not change the order of the others, and the random generator of no library is involved.

    Args:
        images: The set.
        seed: 0 or more.
    """
    copies: Counter[tuple[str, str]] = Counter()
    places: dict[str, bytes] = {}
    for item in sorted(images.items, key=lambda item: item.ref):
        content = item.sha256, images.labels[item.label]
        # Copies of one image are spread like any others.
        text = f"{seed} {content[0]} {copies[content]} {content[1]}"
        copies[content] += 1
        places[item.ref] = hashlib.sha256(text.encode()).digest()

    def place(item: Item) -> tuple[bytes, str]:
        return places[item.ref], item.ref

    return replace(images, items=tuple(sorted(images.items, key=place)))
