"""What the manifest says about when an artifact may be believed: its rules, and how it answered when they were made.

Rules are made at export, from images that neither trained the model nor calibrated the artifact, and are those
of one artifact: after quantization, scores mean something else. :mod:`edge_runtime.rules` applies them.
"""

# No "from __future__ import annotations": msgspec would compile each again when a bundle is first read (1 ms).
import math
from collections.abc import Collection
from typing import Literal

from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.errors import BundleError
from edge_runtime.common.text import quoted

Confidence = Literal["top", "margin"]
"""What says how sure a model is: its best score, or its best score minus the second best."""


def _check_share(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must be above 0 and below 1. Received: {value}")


def _check_finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number. Received: {value}")


class AbstainRule(Strict, frozen=True):
    """Answer only if sure enough: of the images that are answered, at most ``max_error`` are answered wrongly.

    Attributes:
        max_error: The promised error rate among answered images, 0..1.
        score: How sure the model is of an image.
        threshold: The least ``score`` of an image that is answered, 0..1.
        answered: How many of the rule's images are answered.
        errors: How many of those are answered wrongly.
    """

    max_error: float
    score: Confidence
    threshold: float
    answered: int
    errors: int

    def __post_init__(self) -> None:
        _check_share("max_error", self.max_error)
        _check_finite("threshold", self.threshold)


class SetRule(Strict, frozen=True):
    """Which labels may be true: those with at least a score, and the best one in any case.

    Attributes:
        coverage: Share of images whose true class is among them, 0..1.
        threshold: The least score of a label among them, 0..1.
    """

    coverage: float
    threshold: float

    def __post_init__(self) -> None:
        _check_share("coverage", self.coverage)
        _check_finite("threshold", self.threshold)


class KnownRule(Strict, frozen=True):
    """Whether an image shows something of the kind that the model was trained on.

    Attributes:
        score: How known an image looks, by name; see :mod:`edge_runtime.rules`.
        threshold: The least score of an image that counts as known.
        kept: Share of images of the model's classes that count as known, 0..1.
        output: The extra output of the artifact that the score is computed from; empty for its scores.
        file: Path of the score's parameters inside the bundle; empty if it has none.
        sha256: Hash of that file, 64 hex digits; empty if there is none.
    """

    score: str
    threshold: float
    kept: float
    output: str = ""
    file: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        _check_share("kept", self.kept)
        _check_finite("threshold", self.threshold)


class Rules(Strict, frozen=True):
    """The rules of an artifact.

    Attributes:
        images: How many images they were made from.
        data_sha256: Hash of those images.
        confidence: Probability with which the images that made the abstain rule make one that keeps its promise.
        abstain: When to answer; None for always.
        sets: Which labels may be true; None if nobody asked.
        known: Which images to refuse; None for none.
        model_sha256: Hash of the artifact whose scores they judge, 64 hex digits; empty if it was not recorded.
    """

    images: int
    data_sha256: str
    confidence: float = 0.95
    abstain: AbstainRule | None = None
    sets: SetRule | None = None
    known: KnownRule | None = None
    model_sha256: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a result that they fill: some of ``known``, ``answered`` and ``candidates``."""
        said = {
            "known": self.known is not None,
            "answered": self.known is not None or self.abstain is not None,
            "candidates": self.sets is not None,
        }
        return tuple(field for field, there in said.items() if there)


def check_rules(rules: Rules, model_sha256: str, outputs: Collection[str], name: str) -> None:
    """Checks that rules belong to an artifact.

    Args:
        rules: The rules.
        model_sha256: Hash of the artifact's model file.
        outputs: Names of its extra outputs.
        name: The artifact, for messages.

    Raises:
        BundleError: They were made for another model file, or need an output or a file that is not named.
    """
    if rules.model_sha256 not in ("", model_sha256):
        raise BundleError(
            f"Rules must be those of their own model file. Received: {name} with rules of sha256 "
            f"{quoted(rules.model_sha256[:12])}, its file has {model_sha256[:12]}. Export the bundle again."
        )
    known = rules.known
    if known is None:
        return
    if known.output and known.output not in outputs:
        raise BundleError(
            f"A rule must read an output of its own artifact. Received: {name} with a rule on {quoted(known.output)}, "
            f"extra outputs {quoted(', '.join(outputs) or 'none', 200)}. Export the bundle again."
        )
    if bool(known.file) != bool(known.sha256):
        raise BundleError(
            f"A rule's file must come with its sha256. Received: {name} with file {quoted(known.file)}, sha256 "
            f"{quoted(known.sha256)}. Export the bundle again."
        )


HISTOGRAM_BINS = 20
"""Bins of equal width over 0..1 in :class:`ReferenceStatistics`."""


class ReferenceStatistics(Strict, frozen=True):
    """How an artifact answered the images that its rules were made from; later answers are compared with it.

    Attributes:
        images: How many images.
        classes: How many of them it answered with each class, in the order of the labels.
        top_scores: How many had a best score in each of :data:`HISTOGRAM_BINS` bins over 0..1.
        margins: The same of best score minus second best.
        known: How many counted as known; None without such a rule.
        answered: How many were answered; None without such a rule.
    """

    images: int
    classes: tuple[int, ...]
    top_scores: tuple[int, ...]
    margins: tuple[int, ...]
    known: int | None = None
    answered: int | None = None


def check_reference(reference: ReferenceStatistics, classes: int, name: str) -> None:
    """Checks that reference statistics are those of a model with that many classes.

    Args:
        reference: The statistics.
        classes: How many classes the model has.
        name: The artifact, for messages.

    Raises:
        BundleError: They have another number of classes or bins.
    """
    found = (len(reference.classes), len(reference.top_scores), len(reference.margins))
    expected = (classes, HISTOGRAM_BINS, HISTOGRAM_BINS)
    if found != expected:
        raise BundleError(
            f"Reference statistics must have a number per class and per bin. Received: {name} with {found}, "
            f"expected {expected}. Export the bundle again."
        )
