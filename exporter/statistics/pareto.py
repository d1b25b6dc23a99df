"""Which of several things no other one beats in every respect at once."""

from __future__ import annotations

from collections.abc import Sequence


def on_front(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Which points no other point dominates.

    A point dominates another if it is nowhere worse and somewhere better; equal points do not dominate
    each other.

    Args:
        costs: Points of equal length; less is better in every place.
    """

    def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
        pairs = list(zip(one, other, strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    return [not any(dominates(other, one) for other in costs) for one in costs]
