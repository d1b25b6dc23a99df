"""Sizes, times and drops formatted for people, the same in tables, plots and reports."""

from __future__ import annotations

_SECOND_MS = 1000.0
_SMALL_MS = 0.1


def size_text(count: int) -> str:
    """A size: ``3.90 MB`` or ``129.7 kB``, decimal units.

    Args:
        count: In bytes.
    """
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def latency_text(milliseconds: float) -> str:
    """A time: ``1.56 s``, ``12.50 ms``, and ``0.031 ms`` where two decimals are too few.

    Args:
        milliseconds: The time.
    """
    if milliseconds >= _SECOND_MS:
        return f"{milliseconds / _SECOND_MS:.2f} s"
    return f"{milliseconds:.3f} ms" if milliseconds < _SMALL_MS else f"{milliseconds:.2f} ms"


def drop_text(change: float) -> str:
    """A change of top-1 as a drop in points: ``0.26``; a gain is a negative drop, and zero has no minus.

    Args:
        change: Top-1 minus the full model's, in fractions of 1.
    """
    return f"{round(-100 * change, 2) + 0.0:.2f}"
