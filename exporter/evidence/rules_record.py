"""What became of the rules that were asked for, as stored in ``check.json``: made from which images, or why not."""

from __future__ import annotations

from collections.abc import Iterator

from edge_runtime.bundle.rules import AbstainRule, KnownRule, SetRule
from edge_runtime.bundle.strict_json import Strict

SET_SIZES = 10
"""Sizes counted one by one in :attr:`SetReport.sizes`; the last one counts larger sets as well."""


class CurvePoint(Strict, frozen=True):
    """What a threshold would do on the images.

    Attributes:
        threshold: The least confidence of an image that is answered, 0..1.
        answered: Images with at least that confidence.
        errors: How many of those are answered wrongly.
    """

    threshold: float
    answered: int
    errors: int


class AbstainReport(Strict, frozen=True):
    """The rule that ``--max-error`` asks for.

    Attributes:
        max_error: The error rate among answered images that was asked for, 0..1.
        rule: The rule; None if the images do not show that one keeps the promise.
        certifying: Images that certify it; the others chose the thresholds to try.
        answered: How many of them are answered: by the rule, or at the first threshold tried.
        errors: How many of those are answered wrongly.
        missing: Answered images that are missing for a rule, at this error rate; None if there is a rule, or if
            no number of images like these would give one.
        reason: Why there is no rule, in words; empty if there is one.
        curve: Error against coverage on all images, strictest threshold first.
    """

    max_error: float
    rule: AbstainRule | None
    certifying: int
    answered: int
    errors: int
    missing: int | None = None
    reason: str = ""
    curve: tuple[CurvePoint, ...] = ()


class SetReport(Strict, frozen=True):
    """The rule that ``--sets`` asks for.

    Attributes:
        coverage: Share of images whose true class should be among the labels, 0..1.
        rule: The rule; None if there are too few images.
        missing: Images that are missing for a rule; None if there is one.
        reason: Why there is no rule, in words; empty if there is one.
        mean_size: Labels per image, on the images that made the rule.
        largest: Most labels of an image.
        sizes: How many images have 1, 2, ... labels, the last entry :data:`SET_SIZES` or more.
    """

    coverage: float
    rule: SetRule | None
    missing: int | None = None
    reason: str = ""
    mean_size: float = 0.0
    largest: int = 0
    sizes: tuple[int, ...] = ()


class KnownReport(Strict, frozen=True):
    """The rule that ``--unknown`` asks for.

    Attributes:
        rule: The rule; None if there is none.
        missing: Images that are missing for a rule; 0 if it is not for that.
        reason: Why there is none, or why its score is not computed from features; empty if neither is so.
    """

    rule: KnownRule | None
    missing: int = 0
    reason: str = ""


class RulesReport(Strict, frozen=True):
    """The rules of one artifact.

    Attributes:
        images: The images they were made from.
        chose_epoch: Whether some of these images also chose the epoch of the full model, as a run's val split does.
        abstain: When to answer; None if nobody asked.
        sets: Which labels may be true; None if nobody asked.
        known: Which images to refuse; None if nobody asked.
    """

    images: int
    chose_epoch: bool = False
    abstain: AbstainReport | None = None
    sets: SetReport | None = None
    known: KnownReport | None = None

    def unmet(self) -> Iterator[str]:
        """Why rules that were asked for are missing, in words."""
        for option, found in (
            ("--max-error", self.abstain),
            ("--sets", self.sets),
            ("--unknown", self.known),
        ):
            if found is not None and found.rule is None:
                yield f"no rule for {option}: {found.reason}"


class RulesTrial(Strict, frozen=True):
    """How the rules of a bundle's artifact do on other images.

    Attributes:
        images: How many images.
        answered: How many are answered; None without a rule.
        errors: How many of those are answered wrongly; None without a rule.
        covered: How many have their true class among the labels; None without a rule.
        mean_size: Labels per image; None without a rule.
    """

    images: int
    answered: int | None = None
    errors: int | None = None
    covered: int | None = None
    mean_size: float | None = None
