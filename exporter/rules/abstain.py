"""When to answer: a threshold on the confidence, such that few of the answered images are answered wrongly.

Let R(t) be the error rate of the images whose confidence is at least t, of all images that could be drawn. A rule
with threshold t keeps its promise if R(t) is at most ``max_error``. It is made in three steps:

1. A random tenth of the images, chosen without looking at them, gives the thresholds to try: the quantiles of their
   confidence, from the one that half of them reach (or more, where half may be too few to certify anything) down
   to 0, which answers everything.
2. The other images, in which nothing was chosen, test "R(t) is above max_error" at each of these thresholds, the
   strictest first. Of the k images that reach t, e are wrong; given k, e ~ Binomial(k, R(t)), so the exact
   binomial test at the level of 5 % is valid.
3. Testing ends at the first threshold that is not rejected. The last one that was is the rule's.

The promise: whatever the model and the images are, a rule with R(t) above ``max_error`` is made with a probability
of at most 5 %. Proof: given the first part, thresholds and order are fixed. Let t' be the first of them with R(t')
above max_error. A rule that breaks the promise has R above max_error itself, so testing went past t' or ended there,
and either way t' was rejected. The test at t' does that with a probability of at most 5 %. (Fixed-sequence testing;
Angelopoulos et al. 2021, Learn then Test, arXiv 2110.01052.) Nothing is assumed about R: it may rise and fall.

Taking the loosest threshold with a Clopper-Pearson bound below max_error instead would break it in 10 to 22 % of
cases. So would, if more rarely, starting at the first threshold that enough of the certifying images reach: where
the start depends on them, R has to be monotone. This is what the tenth is for.

The first test needs 59 / 149 / 299 answered images without an error for a max_error of 5 / 2 / 1 %. The first threshold
is such that too few images reach it in about one case of a hundred; where the images are too few for that, all of
them certify the one threshold 0. Images that a rule for unknown things refuses take no part: see
:func:`exporter.rules.fitting.fit_rules`.

The confidence is the margin, best score minus second best. On the 1,000 photos of ``benchmarks/abstain_promise.py``
it answers at least as many as the best score does, at every max_error tried; see docs/unsure.md.
"""

from __future__ import annotations

import math

import numpy as np

from edge_runtime.bundle.rules import AbstainRule, Confidence
from edge_runtime.common.arrays import BoolArray, Float64Array, IntArray
from edge_runtime.statistics.binomial import fewest_without_error, most_errors
from exporter.evidence.rules_record import AbstainReport, CurvePoint

CONFIDENCE: Confidence = "margin"
"""What says how sure a model is, for every export: it must not be chosen on the certifying images."""

CHOOSING = 0.1
"""Share of the images that give the thresholds to try."""

START = 0.5
"""Share of images that the first threshold answers. Higher, it fails where only the surest third is good enough;
lower, a test of few images fails at their first error. 0.3 to 0.5 find most on the photos of the benchmark."""

_ROOM = 2.5
"""The first threshold answers the fewest images that can pass plus this many standard errors, of what the choosing
images say about a share and of the number that reaches a threshold."""

_STEP = 0.025
"""Share of images from one threshold to the next."""

_SEED = 20_110_052
_CURVE_POINTS = 60
_MOST_IMAGES = 100_000


def fit_abstain(
    confidence: Float64Array, wrong: BoolArray, max_error: float, *, kind: Confidence = CONFIDENCE
) -> AbstainReport:
    """Makes the rule.

    Args:
        confidence: How sure the model is of each image, 0..1, ``[n]``.
        wrong: Whether its best class is not the true one, ``[n]``.
        max_error: Largest error rate among answered images, above 0 and below 1.
        kind: What ``confidence`` is, for the record.
    """
    fewest = fewest_without_error(max_error)
    first = first_share(len(confidence), fewest)
    choosing, certifying = _parts(len(confidence), first)
    sure, mistaken = confidence[certifying], wrong[certifying]
    last: tuple[float, int, int] | None = None
    seen: tuple[int, int] = (0, 0)
    for place, threshold in enumerate(thresholds(confidence[choosing], first)):
        answers = sure >= threshold
        answered, errors = int(answers.sum()), int(mistaken[answers].sum())
        if place == 0:
            seen = answered, errors
        if errors > most_errors(answered, max_error):
            break
        last = threshold, answered, errors
    drawn = curve(confidence, wrong)
    if last is not None:
        threshold, answered, errors = last
        rule = AbstainRule(max_error, kind, threshold, answered, errors)
        return AbstainReport(max_error, rule, len(certifying), answered, errors, curve=drawn)
    missing = images_missing(*seen, max_error)
    reason = _reason(*seen, max_error, missing, fewest)
    return AbstainReport(max_error, None, len(certifying), *seen, missing, reason, drawn)


def first_share(n: int, fewest: int) -> float:
    """Share of images that the first threshold answers: a function of their number alone.

    Args:
        n: Images, those that choose and those that certify.
        fewest: How many must be answered without an error.

    Returns:
        :data:`START` to 1.
    """
    choosing = int(CHOOSING * n)
    certifying = n - choosing
    for share in np.arange(START, 1.0, _STEP):
        spread = math.sqrt(share * (1.0 - share) * certifying * (1.0 + certifying / max(1, choosing)))
        if choosing and share * certifying - _ROOM * spread >= fewest:
            return float(share)
    return 1.0


def thresholds(confidence: Float64Array, first: float) -> list[float]:
    """The thresholds to try, in order.

    Args:
        confidence: Of the images that choose, ``[m]``; m is 0 if ``first`` is 1.
        first: Share of images that the first one answers.

    Returns:
        Falling; the last is 0, which answers everything.
    """
    m = len(confidence)
    ranks = np.ceil(np.arange(first, 1.0, _STEP) * m - 1e-9).astype(np.int64)
    tried = np.sort(confidence)[::-1][np.minimum(ranks, m) - 1] if m else confidence
    return [*sorted({float(value) for value in tried if value > 0.0}, reverse=True), 0.0]


def _parts(n: int, first: float) -> tuple[IntArray, IntArray]:
    """Which images choose thresholds, and which certify: at random, because sets are sorted by class."""
    choosing = int(CHOOSING * n) if first < 1.0 else 0
    order = np.random.default_rng(_SEED).permutation(n)
    return order[:choosing], order[choosing:]


def images_missing(answered: int, errors: int, max_error: float) -> int | None:
    """How many more answered images would certify a threshold, with errors at the rate seen.

    Args:
        answered: Images answered.
        errors: How many of them wrongly; too many for ``answered``.
        max_error: Largest error rate.

    Returns:
        At least 1; None if not even 100,000 answered images would.
    """
    count = fewest_without_error(max_error)
    rate = errors / max(1, answered)
    while count <= _MOST_IMAGES:
        if most_errors(count, max_error) >= math.ceil(rate * count - 1e-9):
            return max(1, count - answered)
        count += max(1, count // 200)
    return None


def _reason(answered: int, errors: int, max_error: float, missing: int | None, fewest: int) -> str:
    share = f"{100 * max_error:g} %"
    if not errors:
        return (
            f"{fewest} answered images without an error show that at most {share} are wrong; here are {answered}, "
            f"{missing} are missing"
        )
    seen = (
        f"{errors} of the surest {answered} certifying images are answered wrongly, too many to show {share}"
    )
    if missing is None:
        return f"{seen}; more images like these would not help"
    return f"{seen}; about {missing:,} more answered images like these are missing"


def curve(confidence: Float64Array, wrong: BoolArray) -> tuple[CurvePoint, ...]:
    """Error against coverage, at up to 60 of the thresholds that tell images apart.

    Args:
        confidence: How sure the model is of each image, ``[n]``.
        wrong: Whether it is wrong, ``[n]``.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, errors = confidence[order], np.cumsum(wrong[order])
    # Images of equal confidence are answered together.
    ends = (
        np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.empty(0, np.int64)
    )
    if len(ends) > _CURVE_POINTS:
        wanted = np.linspace(0, len(ranked) - 1, _CURVE_POINTS)
        ends = ends[np.unique(np.minimum(np.searchsorted(ends, wanted), len(ends) - 1))]
    return tuple(CurvePoint(float(ranked[end]), int(end) + 1, int(errors[end])) for end in ends)
