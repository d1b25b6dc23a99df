"""Makes an artifact's rules and reference statistics from labelled images that it was not fitted to.

Every artifact has its own, made after quantization and repair from its own scores: one step of int8 moves a score.
Promises are about images drawn like these. A run's val split also chose the epoch, so its errors are slightly
too few, as for every figure of the report; ``--data`` with other images avoids that, and the reports say which.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from edge_runtime.bundle.rules import HISTOGRAM_BINS, ReferenceStatistics, Rules
from edge_runtime.common.arrays import BoolArray, Float64Array, IntArray
from edge_runtime.engines.result import Float32Array
from exporter.evidence.rules_record import KnownReport, RulesReport, RulesTrial
from exporter.judge.judge_artifacts import Judgement
from exporter.rules.abstain import fit_abstain
from exporter.rules.known import FittedKnown, Unknown
from exporter.rules.sets import fit_sets, set_sizes
from exporter.source.images import PixelTable, set_sha256
from exporter.statistics.confidence import confidence_of


@dataclass(frozen=True)
class RuleWishes:
    """The rules that an export was asked for; None for one that was not.

    Attributes:
        max_error: Largest error rate among answered images, above 0 and below 1.
        sets: Share of images whose true class is among the labels, above 0 and below 1.
        unknown: What tells unknown things from known ones.
    """

    max_error: float | None = None
    sets: float | None = None
    unknown: Unknown | None = None

    def __bool__(self) -> bool:
        return any(wish is not None for wish in (self.max_error, self.sets, self.unknown))


KnownFitter: TypeAlias = Callable[[str, Float32Array], FittedKnown]
"""Makes the rule for unknown things of one artifact, from its kind and its scores of the images."""


@dataclass(frozen=True)
class FittedRules:
    """What was made for one artifact.

    Attributes:
        report: The same for people, and the reasons for what is missing.
        rules: The rules; None if none could be made.
        reference: How the artifact answers the images; None without rules.
        files: Files of the bundle that the rules name, by path.
    """

    report: RulesReport
    rules: Rules | None = None
    reference: ReferenceStatistics | None = None
    files: dict[str, bytes] = field(default_factory=dict)


def fit_artifacts(
    found: Judgement,
    table: PixelTable,
    wishes: RuleWishes,
    kinds: Collection[str],
    *,
    chose_epoch: bool = False,
    known: KnownFitter | None = None,
) -> dict[str, FittedRules]:
    """Makes the rules of every judged artifact.

    Args:
        found: The judged artifacts, with their scores of the images.
        table: The images.
        wishes: What to make.
        kinds: The artifacts that ship; others get no rules.
        chose_epoch: Whether some of the images chose the epoch of the full model.
        known: Makes the rule for unknown things; needed if that is wished for.

    Returns:
        By kind.
    """
    sha256 = set_sha256(table.images)
    fitted = {}
    for kind, scores in found.scores.items():
        if kind in kinds:
            one = known(kind, scores) if known is not None and wishes.unknown is not None else None
            fitted[kind] = fit_rules(
                scores, table.truth, wishes, data_sha256=sha256, chose_epoch=chose_epoch, known=one
            )
    return fitted


def fit_rules(
    scores: Float32Array,
    truth: IntArray,
    wishes: RuleWishes,
    *,
    data_sha256: str,
    chose_epoch: bool = False,
    known: FittedKnown | None = None,
) -> FittedRules:
    """Makes the rules of one artifact, or of a cascade.

    With a rule for unknown things, the promise of ``max_error`` is about images that are answered: known, and sure
    enough. Only images that it keeps choose and certify the threshold of the confidence. That of the known rule
    is the j-th smallest score s of all n images, j fixed by n; given s, the n - j images above it are independent
    draws from all images with a score above s (order statistics are Markov), so what is shown for any images drawn
    alike holds for these. The image at s itself is left out: it chose s. Of several at s, as there are where a score
    has few values, one is left out and the others count: they are answered as well, and their errors belong to it.

    Args:
        scores: The artifact's scores, float32 ``[n, classes]``.
        truth: True class indices ``[n]``.
        wishes: What to make.
        data_sha256: Hash of the images, for the record.
        chose_epoch: Whether some of them chose the epoch of the full model.
        known: The rule for unknown things; None if nobody asked.
    """
    n = len(truth)
    rule = None if known is None else known.rule
    confidence = confidence_of(scores)
    wrong: BoolArray = scores.argmax(axis=1) != truth
    kept = None if known is None or rule is None else known.scores >= rule.threshold
    judging = np.ones(n, dtype=np.bool_)
    if known is not None and rule is not None and kept is not None:
        judging = kept.copy()
        judging[np.flatnonzero(known.scores == rule.threshold)[:1]] = False
    abstain = sets = None
    if wishes.max_error is not None:
        abstain = fit_abstain(confidence[judging], wrong[judging], wishes.max_error)
    if wishes.sets is not None:
        sets = fit_sets(scores, truth, wishes.sets)
    unknown = None if known is None else _known_report(known, kept)
    report = RulesReport(n, chose_epoch, abstain, sets, unknown)
    rules = Rules(
        images=n,
        data_sha256=data_sha256,
        abstain=None if abstain is None else abstain.rule,
        sets=None if sets is None else sets.rule,
        known=rule,
    )
    if rules.abstain is None and rules.sets is None and rules.known is None:
        return FittedRules(report)
    reference = reference_statistics(scores, rules, kept)
    return FittedRules(report, rules, reference, {} if known is None else known.files)


def _known_report(known: FittedKnown, kept: BoolArray | None) -> KnownReport:
    counted = 0 if kept is None else int(kept.sum())
    return KnownReport(known.rule, known.missing, known.reason, counted, len(known.parameters))


def reference_statistics(
    scores: Float32Array, rules: Rules, known: BoolArray | None = None
) -> ReferenceStatistics:
    """How an artifact answers the images that its rules were made from.

    Args:
        scores: float32 ``[n, classes]``.
        rules: Its rules.
        known: Which images count as known, ``[n]``; None without such a rule.
    """
    answered = answers(scores, rules, known)
    return ReferenceStatistics(
        images=len(scores),
        classes=tuple(np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]).tolist()),
        top_scores=_histogram(confidence_of(scores, "top")),
        margins=_histogram(confidence_of(scores, "margin")),
        known=None if known is None else int(known.sum()),
        answered=None if answered is None else int(answered.sum()),
    )


def answers(scores: Float32Array, rules: Rules, known: BoolArray | None = None) -> BoolArray | None:
    """Which images are answered, bool ``[n]``; None without a rule for it.

    Args:
        scores: float32 ``[n, classes]``.
        rules: The rules.
        known: Which images count as known, ``[n]``; None without such a rule.
    """
    if rules.abstain is None:
        return known
    sure: BoolArray = confidence_of(scores, rules.abstain.score) >= rules.abstain.threshold
    return sure if known is None else sure & known


def try_rules(
    scores: Float32Array, truth: IntArray, rules: Rules, known: BoolArray | None = None
) -> RulesTrial:
    """How rules do on other labelled images.

    Args:
        scores: The artifact's scores, float32 ``[n, classes]``.
        truth: True class indices ``[n]``.
        rules: Its rules.
        known: Which images count as known, ``[n]``; None without such a rule.
    """
    answered = answers(scores, rules, known)
    covered = mean_size = None
    if rules.sets is not None:
        sizes, inside = set_sizes(scores, rules.sets.threshold, truth)
        covered, mean_size = int(inside.sum()), float(sizes.mean())
    wrong = scores.argmax(axis=1) != truth
    return RulesTrial(
        images=len(truth),
        known=None if known is None else int(known.sum()),
        answered=None if answered is None else int(answered.sum()),
        errors=None if answered is None else int(wrong[answered].sum()),
        covered=covered,
        mean_size=mean_size,
    )


def _histogram(values: Float64Array) -> tuple[int, ...]:
    """Counts in :data:`HISTOGRAM_BINS` bins over 0..1; 1 is in the last."""
    bins = np.clip((values * HISTOGRAM_BINS).astype(np.int64), 0, HISTOGRAM_BINS - 1)
    return tuple(np.bincount(bins, minlength=HISTOGRAM_BINS).tolist())
