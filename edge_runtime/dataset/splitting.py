"""Splits by content: the same image is always in the same split."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.dataset.imageset import Item, Split

VAL_SHARE = 0.2
"""Share of distinct contents that go to val."""


def fraction(sha256: str) -> float:
    """Position of a content hash in 0..1, from its first 32 bits."""
    return int(sha256[:8], 16) / 2**32


def by_content(found: Sequence[tuple[str, int, str]]) -> tuple[Item, ...]:
    """Splits images by the hash of their content.

    A class with at least two distinct contents gets at least one image in each split.

    Args:
        found: ``(ref, label, sha256)`` of each image.

    Returns:
        The items in the same order.
    """
    side: dict[str, Split] = {
        sha256: "val" if fraction(sha256) < VAL_SHARE else "train" for _, _, sha256 in found
    }
    contents: dict[int, set[str]] = {}
    for _, label, sha256 in found:
        contents.setdefault(label, set()).add(sha256)
    for label in sorted(contents):
        # The hash decides which one moves, so that adding images elsewhere changes nothing here.
        ordered = sorted(contents[label], key=lambda sha256: (fraction(sha256), sha256))
        if len(ordered) < 2:
            continue
        sides = {side[sha256] for sha256 in ordered}
        if sides == {"train"}:
            side[ordered[0]] = "val"
        elif sides == {"val"}:
            side[ordered[-1]] = "train"
    return tuple(Item(ref, label, side[sha256], sha256) for ref, label, sha256 in found)
