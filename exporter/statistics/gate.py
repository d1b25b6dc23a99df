"""The gate: is an artifact as good as the full model on the same labelled images?

Of n images, only the full model classifies L correctly ("lost") and only the artifact W ("won").
The true top-1 difference, artifact minus full model, is estimated by (W - L) / n and bounded on
either side by an exact one-sided 95 % bound (:mod:`edge_runtime.statistics.exact_bound`)::

    lower_bound(L, W, n) = -(the smallest drop d at which results as good as (L, W), or better,
                             have a probability of at most 5 %, for any share of wins)
    bound = lower_bound(L, W, n)         upper = -lower_bound(W, L, n)

A result is better than another if its score bound is higher (Tango 1998, :mod:`edge_runtime.statistics.paired_score`);
the bound that respects an order in this way is Buehler's (1957).

``pass`` if bound > -margin: worse by the margin is excluded. ``fail`` if upper < -margin: the artifact
is worse by more than the margin. Otherwise ``inconclusive``.

Exact means that it relies on no approximation. For any n, margin and share of changed answers: of all
sets of n images that could have been drawn, at most 5 % pass an artifact whose true drop is the margin
or more, and at most 5 % fail one whose true drop is the margin or less. One more loss never helps, one
more win never hurts, and what passes at a margin passes at any wider one.

The guarantee holds for a single look at images that nothing was fitted to. With images that
calibrated an artifact, or that were checked repeatedly until it passed, it is weaker.

The fewest images that can pass, with none lost: 59 for a margin of 5 points, 149 for 2, 299 for 1, 598
for half a point. ``python -m benchmarks.gate_size`` measures how often the gate errs and how
often it can decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.arrays import BoolArray
from edge_runtime.common.errors import UsageError
from edge_runtime.statistics.exact_bound import lower_bound
from edge_runtime.statistics.paired_score import score_bound

DEFAULT_MARGIN = 0.02
"""Largest top-1 drop that passes, in fractions of 1."""

_MOST_IMAGES = 10_000_000

_EXACT_IMAGES = 10_000
"""Up to this number of images, :func:`images_needed` is confirmed with the exact bound."""

GateVerdict = Literal["pass", "fail", "inconclusive"]


class Stop(Strict, frozen=True):
    """Where a check stopped that goes through the images one by one.

    Attributes:
        images: Images after which it was decided; all of them if it was not.
        lost: Of these, images that only the full model names right.
        won: Of these, images that only the artifact names right.
    """

    images: int
    lost: int
    won: int


@dataclass(frozen=True)
class Decision:
    """What a gate says about the top-1 difference.

    Attributes:
        verdict: ``pass``, ``fail`` or ``inconclusive``.
        reason: The reason, in words.
        bound: Lower 95 % bound of the difference, artifact minus full model.
        upper: Upper 95 % bound.
        images_needed: How many images like these would decide; None if it is decided, or if no number would.
        stop: Where it stopped; None if it always takes all images.
    """

    verdict: GateVerdict
    reason: str
    bound: float
    upper: float
    images_needed: int | None = None
    stop: Stop | None = None


class Gate(Protocol):
    """A rule that decides on a paired comparison."""

    def __call__(self, right: BoolArray, right_now: BoolArray, margin: float) -> Decision:
        """Decides.

        Args:
            right: Whether the full model names each image right, bool ``[n]``.
            right_now: Whether the artifact does.
            margin: Largest top-1 drop that passes, in fractions of 1.
        """
        ...


def check_margin(margin: float) -> float:
    """Returns the margin if it is valid.

    Raises:
        UsageError: It is not between 0 and 1.
    """
    if not 0.0 < margin < 1.0:
        raise UsageError(
            f"A margin must be above 0 and below 1 (0.02 is 2 points). Received: {margin}. Pass --margin 0.02."
        )
    return margin


def paired_interval(lost: int, won: int, n: int) -> tuple[float, float]:
    """Exact one-sided 95 % bounds of the top-1 difference, artifact minus full model.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.

    Returns:
        Lower and upper bound, in fractions of 1.
    """
    return lower_bound(lost, won, n), 0.0 - lower_bound(won, lost, n)


def decide(lost: int, won: int, n: int, margin: float) -> GateVerdict:
    """The verdict on the top-1 difference alone.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.
        margin: Largest drop that passes.
    """
    bound, upper = paired_interval(lost, won, n)
    if bound > -margin:
        return "pass"
    return "fail" if upper < -margin else "inconclusive"


def images_needed(lost: int, won: int, n: int, margin: float) -> int | None:
    """About how many images, with losses and wins at the same rates, would decide.

    The score bound gives a starting point; from there the number is raised until the exact bound decides
    too, up to :data:`_EXACT_IMAGES`.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.
        margin: Largest drop that passes.

    Returns:
        The number of images; None if even ten million would not decide.
    """
    if decide(lost, won, n, margin) != "inconclusive":
        return n
    # With more images the bounds approach the observed difference, on whichever side of the margin it is.
    passes = (won - lost) / n > -margin

    def roughly(count: int) -> bool:
        share = count / n
        if passes:
            return score_bound(lost * share, won * share, count) > -margin
        return score_bound(won * share, lost * share, count) > margin

    def exactly(count: int) -> bool:
        losses = round(lost * count / n)
        wins = min(round(won * count / n), count - losses)
        return decide(losses, wins, count, margin) == ("pass" if passes else "fail")

    low = high = n
    while not roughly(high):
        if high >= _MOST_IMAGES:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if roughly(middle) else (middle, high)
    count = max(high, n + 1)
    while count <= _EXACT_IMAGES and not exactly(count):
        count += max(1, count // 100)
    return count


def fixed_gate(right: BoolArray, right_now: BoolArray, margin: float) -> Decision:
    """The gate on a fixed number of images: the exact bound, looked at once.

    Args:
        right: Whether the full model names each image right, bool ``[n]``.
        right_now: Whether the artifact does.
        margin: Largest top-1 drop that passes, in fractions of 1.
    """
    n, lost, won = len(right), int(np.sum(right & ~right_now)), int(np.sum(~right & right_now))
    bound, upper = paired_interval(lost, won, n)
    verdict = decide(lost, won, n, margin)
    points = f"{100 * margin:g} points"
    if verdict == "pass":
        return Decision(
            verdict, f"a drop of {points} is excluded: at most {-100 * bound:.2f} (95 %)", bound, upper
        )
    if verdict == "fail":
        return Decision(
            verdict, f"it is worse by more than {points}: at least {-100 * upper:.2f} (95 %)", bound, upper
        )
    needed = images_needed(lost, won, n, margin)
    reason = f"{n:,} images cannot tell whether the drop is below {points}; {enough_text(needed)}"
    return Decision(verdict, reason, bound, upper, needed)


def enough_text(needed: int | None) -> str:
    """How many images would decide, in words.

    Args:
        needed: Their number; None if no number would.
    """
    return (
        f"about {needed:,} images would decide" if needed else "no number of images like these would decide"
    )


def overall(verdicts: Sequence[GateVerdict]) -> GateVerdict:
    """The verdict on a bundle: the worst of its artifacts'."""
    order: tuple[GateVerdict, ...] = ("fail", "inconclusive", "pass")
    return min(verdicts, key=order.index)
