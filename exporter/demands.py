"""Thresholds of a check beyond top-1: agreement, and the loss of the worst class."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from edge_runtime.errors import UsageError
from exporter.drift import BoolArray, IntArray
from exporter.gate import overall, paired_interval
from exporter.images import PixelTable
from exporter.judging import Judgement
from exporter.verdict import ArtifactReport, pareto_of


@dataclass(frozen=True)
class Thresholds:
    """Requirements on every artifact; None means no requirement.

    Attributes:
        agreement: Smallest share of images with the full model's answer, 0..1.
        worst_class: Largest drop of any single class, in fractions of 1. A class with few images is
            noisy, so it fails only if its own exact 95 % bound excludes a smaller drop. A class that
            lost exactly this much fails in at most 5 % of all cases; with many such classes, some will.
    """

    agreement: float | None = None
    worst_class: float | None = None

    def __post_init__(self) -> None:
        """Rejects invalid shares.

        Raises:
            UsageError: One is not between 0 and 1.
        """
        for option, share in (("agreement", self.agreement), ("worst-class", self.worst_class)):
            if share is not None and not 0.0 < share <= 1.0:
                raise UsageError(
                    f"--{option} must be above 0 and at most 1 (0.97 is 97 %). Received: {share:g}. "
                    "Pass a fraction of 1."
                )


def with_thresholds(found: Judgement, table: PixelTable, thresholds: Thresholds) -> Judgement:
    """Fails the artifacts that do not meet the thresholds; the others are unchanged.

    Args:
        found: The verdicts of the gate.
        table: The images they were judged on.
        thresholds: The requirements.
    """
    if thresholds == Thresholds():
        return found
    right = found.reference.argmax(axis=1) == table.truth
    artifacts = {}
    for name, one in found.report.artifacts.items():
        right_now = found.scores[name].argmax(axis=1) == table.truth
        unmet = _unmet(one, right, right_now, table.truth, table.images.labels, thresholds)
        if unmet:
            one = one.failing("; ".join(unmet))
        artifacts[name] = one
    verdict = overall([one.verdict for one in artifacts.values()])
    report = msgspec.structs.replace(
        found.report, verdict=verdict, artifacts=artifacts, pareto=pareto_of(artifacts)
    )
    return replace(found, report=report)


def _unmet(
    report: ArtifactReport,
    right: BoolArray,
    right_now: BoolArray,
    truth: IntArray,
    labels: tuple[str, ...],
    thresholds: Thresholds,
) -> list[str]:
    unmet = []
    if thresholds.agreement is not None and report.agreement < thresholds.agreement:
        unmet.append(
            f"it agrees with the full model on {100 * report.agreement:.2f} % of the images, "
            f"{100 * thresholds.agreement:g} % are required"
        )
    if thresholds.worst_class is not None:
        worse = []
        for index in np.unique(truth):
            chosen = truth == index
            lost = int(np.sum(right & ~right_now & chosen))
            won = int(np.sum(~right & right_now & chosen))
            n = int(chosen.sum())
            if lost - won <= thresholds.worst_class * n:
                # The bound never exceeds the observed drop, so most of a thousand classes take no time.
                continue
            upper = paired_interval(lost, won, n)[1]
            if upper < -thresholds.worst_class:
                worse.append((upper, f"{labels[index]} (at least {-100 * upper:.2f})"))
        if worse:
            named = ", ".join(text for _, text in sorted(worse)[:3])
            more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
            unmet.append(f"classes lost more than {100 * thresholds.worst_class:g} points: {named}{more}")
    return unmet
