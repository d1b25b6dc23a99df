"""A manifest's rules, extra outputs and reference statistics in words, for ``snapship info``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_runtime.bundle.manifest import Artifact, Cascade, Manifest
from edge_runtime.bundle.rules import HISTOGRAM_BINS, AbstainRule, ReferenceStatistics, Rules

_SURE = {"top": "best score", "margin": "best score minus the second best"}


def rules_in_words(manifest: Manifest) -> list[str]:
    """Lines for people; none if no artifact has any of it.

    Args:
        manifest: A verified manifest.
    """
    entries: list[Artifact | Cascade] = list(manifest.artifacts)
    if manifest.cascade is not None:
        entries.append(manifest.cascade)
    lines: list[str] = []
    for entry in entries:
        told = list(_told(entry, manifest.labels))
        if told:
            lines += ["", f"{entry.kind}:", *(f"  {line}" for line in told)]
    return lines


def _told(entry: Artifact | Cascade, labels: Sequence[str]) -> Iterator[str]:
    if isinstance(entry, Artifact) and entry.outputs:
        yield f"extra outputs: {', '.join(f'{spec.name} {list(spec.shape)}' for spec in entry.outputs)}"
    if entry.rules is not None:
        yield from _rules(entry.rules)
    if entry.reference is not None:
        yield _reference(entry.reference, labels)


def _rules(rules: Rules) -> Iterator[str]:
    yield f"rules, made from {rules.images:,} images:"
    if rules.known is not None:
        known = rules.known
        read = f"its output {known.output}" if known.output else "its scores"
        beside = f" and {known.file}" if known.file else ""
        yield (
            f"  known: if {known.score!r}, computed from {read}{beside}, is at least {known.threshold:.4g}, as for "
            f"{known.kept:.1%} of images of its classes"
        )
    if rules.abstain is not None:
        yield f"  answered: {_abstain(rules.abstain, rules.confidence)}"
    if rules.sets is not None:
        yield (
            f"  candidates: the classes with a score of at least {rules.sets.threshold:.4g}, and the best one; the "
            f"true class is among them for {rules.sets.coverage:.1%} of images"
        )


def _abstain(rule: AbstainRule, confidence: float) -> str:
    return (
        f"if its {_SURE[rule.score]} is at least {rule.threshold:.4g}; of such answers at most {rule.max_error:.1%} "
        f"are wrong, with {confidence:.0%} confidence ({rule.answered:,} answered, {rule.errors:,} of them wrong)"
    )


def _reference(found: ReferenceStatistics, labels: Sequence[str]) -> str:
    most = max(range(len(found.classes)), key=found.classes.__getitem__)
    parts = [
        f"median best score about {_median(found.top_scores):.2f}, of the margin {_median(found.margins):.2f}",
        f"most often {labels[most]}, {found.classes[most]:,} times",
    ]
    if found.known is not None:
        parts.append(f"{found.known:,} known")
    if found.answered is not None:
        parts.append(f"{found.answered:,} answered")
    return f"reference, from {found.images:,} images: {'; '.join(parts)}"


def _median(bins: Sequence[int]) -> float:
    """The middle of the bin that holds the median."""
    below, half = 0, sum(bins) / 2
    for place, count in enumerate(bins):
        below += count
        if below >= half:
            return (place + 0.5) / HISTOGRAM_BINS
    return 1.0
