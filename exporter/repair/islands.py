"""Float operations: the few that lose most stay in float, the rest remains int8."""

from __future__ import annotations

from exporter.quantize.graph import OpError

COUNTS = (2, 3, 5)
"""How many operations to leave in float, tried in this order; more never paid when measured."""

WORTHWHILE = 0.35
"""Error in steps above which an operation is a candidate: pure rounding has 0.29, and float cannot mend that."""


def candidates(errors: tuple[OpError, ...]) -> tuple[tuple[str, ...], ...]:
    """The sets of operations to try, smallest first.

    Args:
        errors: Every operation's error, worst first.

    Returns:
        Up to three sets; none where no operation stands out.
    """
    worst = tuple(entry.name for entry in errors if entry.error > WORTHWHILE)
    sizes = sorted({min(count, len(worst)) for count in COUNTS} - {0})
    return tuple(worst[:size] for size in sizes)
