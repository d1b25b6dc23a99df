"""The gate that stops as soon as it may: image by image, with a test that holds at every look.

The images come in a random order, and after each one two bets are looked at
(:mod:`edge_runtime.statistics.betting`)::

    wealth against "worse by the margin or more"    at 20: pass
    wealth against "worse by the margin or less"    at 20: fail
    neither at the last image                       inconclusive

Of all sets of images that could have been drawn, at most 5 % *ever* reach a pass if the artifact is worse by
the margin or more, and at most 5 % a fail if it is worse by the margin or less, whenever and however often one
looks (``python -m benchmarks.sequential_gate`` computes both exactly). The exact bound of a fixed number of
images (:mod:`exporter.statistics.gate`) is never looked at beside it: two tests of the same images
would err more often than one.

The promise is about one run through the images. A second run over the same ones, in another order or after an
inconclusive first, is no independent evidence.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.common.arrays import BoolArray
from edge_runtime.statistics.betting import excludes, paired_interval
from exporter.statistics.gate import Decision, GateVerdict, Stop, enough_text

_MOST_IMAGES = 10_000_000


def sequential_gate(right: BoolArray, right_now: BoolArray, margin: float) -> Decision:
    """Goes through the images in their order, to the first that decides.

    Args:
        right: Whether the full model names each image right, bool ``[n]``.
        right_now: Whether the artifact does.
        margin: Largest top-1 drop that passes, in fractions of 1.
    """
    lost, won = np.cumsum(right & ~right_now), np.cumsum(~right & right_now)
    seen = np.arange(1, len(right) + 1)
    passes, fails = excludes(lost, won, seen, margin), excludes(won, lost, seen, -margin)
    decided = np.flatnonzero(passes | fails)
    place = int(decided[0]) if len(decided) else len(right) - 1
    verdict: GateVerdict = "pass" if passes[place] else "fail" if fails[place] else "inconclusive"
    return _decision(verdict, Stop(place + 1, int(lost[place]), int(won[place])), margin)


def verdict_at(lost: float, won: float, n: float, margin: float) -> GateVerdict:
    """The verdict at one look.

    Args:
        lost: Images so far that only the full model names right.
        won: Images so far that only the artifact names right.
        n: All images so far.
        margin: Largest top-1 drop that passes, in fractions of 1.
    """
    if excludes(lost, won, n, margin):
        return "pass"
    return "fail" if excludes(won, lost, n, -margin) else "inconclusive"


def _decision(verdict: GateVerdict, stop: Stop, margin: float) -> Decision:
    bound, upper = paired_interval(stop.lost, stop.won, stop.images)
    points, after = f"{100 * margin:g} points", f"after {stop.images:,} images"
    if verdict == "pass":
        reason = f"{after} a drop of {points} is excluded: at most {-100 * bound:.2f} (95 %, at every look)"
        return Decision(verdict, reason, bound, upper, stop=stop)
    if verdict == "fail":
        reason = (
            f"{after} it is worse by more than {points}: at least {-100 * upper:.2f} (95 %, at every look)"
        )
        return Decision(verdict, reason, bound, upper, stop=stop)
    needed = images_needed(stop, margin)
    reason = (
        f"{stop.images:,} images, looked at one by one, cannot tell whether the drop is below {points}; "
        f"{enough_text(needed)}"
    )
    return Decision(verdict, reason, bound, upper, needed, stop)


def images_needed(stop: Stop, margin: float) -> int | None:
    """About how many images would decide, if lost and won stay as frequent as now.

    Args:
        stop: An undecided state.
        margin: Largest top-1 drop that passes, in fractions of 1.

    Returns:
        None if no number would, or more than ten million.
    """
    lost_rate, won_rate = stop.lost / stop.images, stop.won / stop.images
    low = high = float(stop.images)
    while verdict_at(lost_rate * high, won_rate * high, high, margin) == "inconclusive":
        if high >= _MOST_IMAGES:
            return None
        low, high = high, 2.0 * high
    while high - low > max(1.0, low / 1000.0):
        middle = (low + high) / 2.0
        decided = verdict_at(lost_rate * middle, won_rate * middle, middle, margin) != "inconclusive"
        low, high = (low, middle) if decided else (middle, high)
    return int(np.ceil(high))
