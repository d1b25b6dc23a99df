"""The configuration of an export, and which artifact ``--best size|latency`` ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edge_runtime.common.errors import GateFailedError, InconclusiveError, UnknownNameError, UsageError
from edge_runtime.image.input_spec import Fit, Resize
from exporter.common.wording import latency_text, size_text
from exporter.config.share import check_share
from exporter.evidence.classes import MissingClasses
from exporter.evidence.record import ParetoPoint
from exporter.formats.kinds import (
    ALL,
    CASCADE_FIRST,
    CASCADE_SECOND,
    DEFAULT_KINDS,
    SEARCHED_KINDS,
    Kind,
    parse_kinds,
)
from exporter.judge.verdict import ArtifactReport
from exporter.reference.usage_check import WeakReference
from exporter.rules.fitting import RuleWishes
from exporter.rules.known import Unknown
from exporter.source.input_range import InputRange, check_range
from exporter.statistics.gate import DEFAULT_MARGIN, check_margin

DEFAULT_AGREEMENT = 0.975
"""An int8 artifact that agrees with the full model on fewer calibration-side close-ups is repaired."""

Repair = Literal["auto", "off", "full"]
Best = Literal["size", "latency"]
Evidence = Literal["quick", "standard", "full"]


@dataclass(frozen=True)
class ExportConfig:
    """One export.

    Attributes:
        source: A run folder, or a ``.keras`` or ``.h5`` file that takes raw pixels.
        out: The bundle: a folder, or a file that ends in ``.zip``.
        artifacts: Kinds to write: names, aliases, or ``all``.
        data: Labelled images to check on (their val split) and, without
            calibration_data, to calibrate on (their train split). None uses the run's.
        calibration_data: Other images to calibrate on; all of ``data`` is then used for checking.
        calibration: Number of calibration images for int8.
        labels: File of class names, for a source other than a run folder.
        fit: How images are fitted to the input size, for a source other than a run folder; None is
            ``stretch``.
        resize: Resize filter, for a source other than a run folder; None is ``antialiased``.
        name: The bundle's name; None uses the source's.
        margin: Largest top-1 drop that passes, in fractions of 1.
        agreement: An int8 artifact that agrees with the full model on a smaller share of the
            calibration-side close-ups is repaired, and so is one that would fail the gate there or
            lost more than half the margin; 0 to 1.
        repair: ``auto``: quick repairs, and fine-tuning only if the gate would still fail; ``full``:
            fine-tuning also for smaller losses; ``off``: none.
        best: ``size`` or ``latency``: try every artifact and ship only the smallest or fastest that
            passes; None ships all artifacts.
        max_error: Make rules that answer only if at most this share of the answered images is answered
            wrongly, above 0 and below 1; None makes none.
        sets: Make rules that name the labels that hold the true class for this share of images, above 0 and
            below 1; None makes none.
        unknown: Make rules that refuse things unlike the model's classes, from its ``scores`` or its
            ``features``; ``auto`` picks; None makes none.
        cascade: Whether to make a cascade of tflite-int8 and tflite-fp32, which are then written too, if
            it is worth it.
        missing_classes: ``error`` refuses data that lacks images of a class; ``allow`` accepts it.
        weak_reference: ``error`` refuses a full model that is no better than guessing, before
            anything is converted; ``allow`` accepts it.
        input_range: The pixel range the source expects; the artifacts always take raw pixels.
        evidence: What to measure beside the verdict, which it does not affect. ``quick``: nothing that takes time;
            ``standard``: what explains a disagreement, in about a second per artifact; ``full``: also other engines
            and thread counts, the preprocessing of other libraries, clipped activations and fewer calibration images.
        golden: Number of golden examples to write, 0 to 100.
        check: Whether to compare the artifacts with the full model.
        overwrite: Whether to replace an existing bundle.
    """

    source: str | Path
    out: str | Path
    artifacts: tuple[str, ...] = DEFAULT_KINDS
    data: str | Path | None = None
    calibration_data: str | Path | None = None
    calibration: int = 200
    labels: str | Path | None = None
    fit: Fit | None = None
    resize: Resize | None = None
    name: str | None = None
    margin: float = DEFAULT_MARGIN
    agreement: float = DEFAULT_AGREEMENT
    repair: Repair = "auto"
    best: Best | None = None
    max_error: float | None = None
    sets: float | None = None
    unknown: Unknown | None = None
    cascade: bool = False
    missing_classes: MissingClasses = "error"
    weak_reference: WeakReference = "error"
    input_range: InputRange = "0..255"
    evidence: Evidence = "standard"
    golden: int = 5
    check: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Checks the values before anything slow starts.

        Raises:
            UsageError: A value is out of its range.
        """
        if not 1 <= self.calibration <= 100_000:
            raise UsageError(
                f"calibration must be 1 to 100000 images. Received: {self.calibration}. Pass --calibration 200."
            )
        if not 0 <= self.golden <= 100:
            raise UsageError(f"golden must be 0 to 100 examples. Received: {self.golden}. Pass --golden 5.")
        check_margin(self.margin)
        check_range(self.input_range)
        if not 0.0 <= self.agreement <= 1.0:
            raise UsageError(
                f"agreement must be 0 to 1 (0.975 is 97.5 %). Received: {self.agreement}. Pass --agreement 0.975."
            )
        for option, received, known in (
            ("repair", self.repair, get_args(Repair)),
            ("best", self.best, (None, *get_args(Best))),
            ("unknown", self.unknown, (None, *get_args(Unknown))),
            ("fit", self.fit, (None, *get_args(Fit))),
            ("resize", self.resize, (None, *get_args(Resize))),
            ("evidence", self.evidence, get_args(Evidence)),
            ("missing-classes", self.missing_classes, get_args(MissingClasses)),
            ("weak-reference", self.weak_reference, get_args(WeakReference)),
        ):
            if received not in known:
                raise UnknownNameError.of(option, str(received), [name for name in known if name])
        if self.best is not None and not self.check:
            raise UsageError(
                "The best artifact is found by checking all of them. Received: best and no check. "
                "Leave --no-check out."
            )
        self._check_rules()
        if self.cascade and (self.best is not None or not self.check):
            raise UsageError(
                "A cascade is two artifacts, and is judged before it is written. Received: --cascade with "
                f"{'--no-check' if self.best is None else '--best, which ships one'}. Leave one of the two out."
            )
        if self.name is not None and not valid_name(self.name):
            raise UsageError(
                f"A bundle's name must be letters, digits, '.', '_' and '-'. Received: {self.name!r}. "
                "Pass another --name."
            )
        self.kinds  # noqa: B018 - names are looked up now, not after training data was read

    def _check_rules(self) -> None:
        for option, share in (("--max-error", self.max_error), ("--sets", self.sets)):
            if share is not None:
                check_share(share, option)
        if self.rules and not self.check:
            raise UsageError(
                "Rules are made from the images that check the artifacts. Received: rules and no check. "
                "Leave --no-check out."
            )

    @property
    def rules(self) -> RuleWishes:
        """The rules to make; falsy if there are none."""
        return RuleWishes(self.max_error, self.sets, self.unknown)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of :attr:`artifacts`, and those of a cascade; with ``best`` and none named, :data:`SEARCHED_KINDS`.

        Raises:
            UnknownNameError: One is not known.
        """
        if self.best is not None and self.artifacts == DEFAULT_KINDS:
            return parse_kinds(SEARCHED_KINDS)
        also = (CASCADE_FIRST, CASCADE_SECOND) if self.cascade else ()
        return parse_kinds((*self.artifacts, *also))

    @property
    def named(self) -> frozenset[str]:
        """The kinds named one by one; empty for ``all``, ``best`` and the default.

        A cascade is not among them: whether it is worth it is known only afterwards, and differs by CPU.
        """
        if self.best is not None or self.artifacts == DEFAULT_KINDS:
            return frozenset()
        names = [name for name in self.artifacts if name.strip().lower() != ALL]
        return frozenset(kind.name for kind in parse_kinds(names)) if names else frozenset()


def valid_name(name: str) -> bool:
    """Whether a name can begin the files of a bundle on every system."""
    return (
        0 < len(name) <= 80
        and name[0] not in ".-"
        and all(sign.isascii() and (sign.isalnum() or sign in "._-") for sign in name)
    )


def pick(artifacts: Mapping[str, ArtifactReport], best: Best, margin: float) -> str:
    """Picks the smallest or the fastest artifact that passed.

    Args:
        artifacts: The report of each, by kind.
        best: The criterion.
        margin: Largest top-1 drop that passes, for the message.

    Returns:
        Its kind; ties go to the smaller one, then to the better top-1.

    Raises:
        GateFailedError: All failed.
        InconclusiveError: None passed, and some are inconclusive.
    """

    def cost(kind: str) -> tuple[float, float, float]:
        found = artifacts[kind]
        first = float(found.bytes) if best == "size" else found.latency_ms
        return first, float(found.bytes), -found.top1

    passed = [kind for kind, found in artifacts.items() if found.verdict == "pass"]
    if passed:
        return min(passed, key=cost)
    points = f"{100 * margin:g} points"
    tried = "; ".join(f"{kind}: {found.verdict}, {found.reason}" for kind, found in artifacts.items())
    message = (
        f"The best artifact must be within {points} of the full model. Received: {tried}. "
        "Allow a wider --margin, pass more images with --data, or try other --artifacts."
    )
    if any(found.verdict == "inconclusive" for found in artifacts.values()):
        raise InconclusiveError(message)
    raise GateFailedError(message)


def why(points: Sequence[ParetoPoint]) -> str:
    """Describes the pick, for people.

    Args:
        points: All candidates, one of them picked.
    """
    picked = next(point for point in points if point.picked)
    return (
        f"Picked {picked.name} ({size_text(picked.bytes)}, {latency_text(picked.latency_ms)}) of {len(points)} "
        "tried; starred: no other is better in size, latency and top-1 at once."
    )
