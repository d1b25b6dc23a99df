"""What to export, and how it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edge_runtime.errors import UnknownNameError, UsageError
from edge_runtime.spec import Fit, Resize
from exporter.evidence.classes import MissingClasses
from exporter.gate import DEFAULT_MARGIN, check_margin
from exporter.input_range import InputRange, check_range
from exporter.kinds import ALL, DEFAULT_KINDS, SEARCHED_KINDS, Kind, parse_kinds
from exporter.weak_reference import WeakReference

DEFAULT_AGREEMENT = 0.975
"""Share of calibration-side close-ups on which int8 must answer as the full model does, or it is repaired."""

Repair = Literal["auto", "off", "full"]
Best = Literal["size", "latency"]
Evidence = Literal["full", "quick"]


@dataclass(frozen=True)
class ExportConfig:
    """One export.

    Attributes:
        source: A run folder, or a ``.keras`` or ``.h5`` file that takes raw pixels.
        out: The bundle: a folder, or a file that ends in ``.zip``.
        artifacts: Kinds to write; names, other spellings of them, or ``all``.
        data: Labelled images to judge on (their val split) and, without
            calibration_data, to calibrate on (their train split). None takes the run's.
        calibration_data: Other images to calibrate on; then all of ``data`` judges.
        calibration: How many images calibrate the int8 artifacts.
        labels: File of class names, for a source that is no run folder.
        fit: How images become the input's size, for a source that is no run folder; None is ``stretch``.
        resize: How pixels of another size are made, for a source that is no run folder; None is
            ``antialiased``.
        name: The bundle's name; None takes the source's.
        margin: Largest top-1 drop that passes, in fractions of 1.
        agreement: An int8 artifact that gives the full model's answer on a smaller share of the
            calibration-side close-ups than this is repaired, and so is one that would fail the gate
            there or lost more than half the margin; 0 to 1.
        repair: ``auto``: what takes seconds, and fine-tuning only where the gate would still fail;
            ``full``: fine-tuning also where less is missing; ``off``: nothing.
        best: ``size`` or ``latency``: try every artifact and ship the smallest or fastest that
            passes, alone; None ships all artifacts.
        missing_classes: ``error`` refuses to judge where a class has no images; ``allow`` does not.
        weak_reference: ``error`` refuses a full model that is no better than guessing on the judging
            images, before anything is converted; ``allow`` does not.
        input_range: What the source takes for a pixel; the artifacts take raw pixels all the same.
        evidence: ``full``, or ``quick``: leave out what takes seconds and does not move the verdict.
        golden: How many golden examples to write, 0 to 100.
        check: Whether to compare the artifacts with the full model.
        overwrite: Replace a bundle that is there.
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
    missing_classes: MissingClasses = "error"
    weak_reference: WeakReference = "error"
    input_range: InputRange = "0..255"
    evidence: Evidence = "full"
    golden: int = 5
    check: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuses what cannot work before anything slow starts.

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
        if self.name is not None and not valid_name(self.name):
            raise UsageError(
                f"A bundle's name must be letters, digits, '.', '_' and '-'. Received: {self.name!r}. "
                "Pass another --name."
            )
        self.kinds  # noqa: B018 - names are looked up now, not after training data was read

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of :attr:`artifacts`; where the best is asked for and none is named, many.

        Raises:
            UnknownNameError: One is not known.
        """
        if self.best is not None and self.artifacts == DEFAULT_KINDS:
            return parse_kinds(SEARCHED_KINDS)
        return parse_kinds(self.artifacts)

    @property
    def named(self) -> frozenset[str]:
        """Names of the kinds that were asked for one by one; none where all, the best or the usual were."""
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
