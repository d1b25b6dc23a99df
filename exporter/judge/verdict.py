"""The result of a check, as written to ``check.json``, with its Pareto set.

The set has the artifacts that no other beats in size, latency and accuracy at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from edge_runtime.bundle.manifest import Metrics
from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.errors import GateFailedError, InconclusiveError
from exporter.evidence.record import (
    AttributionReport,
    ClassReport,
    EngineReport,
    GoldenReport,
    KernelsReport,
    LayersReport,
    ParetoPoint,
    ParetoReport,
    ParityReport,
    RepairReport,
    TemperatureReport,
)
from exporter.evidence.rules_record import RulesReport, RulesTrial
from exporter.formats.half_precision import Magnitude
from exporter.formats.onnx_run import CpuReport
from exporter.judge.artifact_verdicts import after_replays, named
from exporter.judge.sequential_record import SequentialRun
from exporter.quantize.calibration import CalibrationReport
from exporter.statistics.comparison import Comparison
from exporter.statistics.gate import GateVerdict, overall
from exporter.statistics.pareto import on_front

CHECK_FILE = "check.json"


class ReferenceReport(Strict, frozen=True):
    """The full model.

    Attributes:
        file: Its file, relative to the bundle if a bundle was checked.
        top1: Its top-1 on the same images, 0..1.
        ece: Its expected calibration error, 15 bins.
        sha256: Hash of its file.
        temperature: Its confidence calibration.
    """

    file: str
    top1: float
    ece: float
    sha256: str
    temperature: TemperatureReport | None = None


class ArtifactReport(Comparison, frozen=True):
    """An artifact against the full model, and what else was measured of it.

    Attributes:
        bytes: Size of its file.
        latency_ms: Median of one inference with one thread, on this machine; of a cascade, the mean.
        engine: The interpreter that ran it.
        temperature: Its confidence calibration.
        attribution: Where its disagreements come from.
        engines: The file with other kernels and thread counts.
        layers: Its worst tensors, for a quantized file whose float file was exported as well.
        golden: A replay of the bundle's golden examples.
        repair: How it was repaired.
        calibration: How good its calibration was.
        kernels: Whether it gives the same answers on every CPU, for a quantized .onnx file.
        half: The largest magnitude in it, for a file that other devices compute in float16.
        missing: Diagnostics that could not be measured, with the reason.
        rules: The rules that an export made for it, and why others are missing.
        trial: How the rules of a checked bundle do on these images.
        passed_on: Share of the images that a cascade passed on, 0..1; None for one file.
    """

    bytes: int
    latency_ms: float
    engine: str
    temperature: TemperatureReport | None = None
    attribution: AttributionReport | None = None
    engines: tuple[EngineReport, ...] = ()
    layers: LayersReport | None = None
    golden: GoldenReport | None = None
    repair: RepairReport | None = None
    calibration: CalibrationReport | None = None
    kernels: KernelsReport | None = None
    half: Magnitude | None = None
    missing: tuple[str, ...] = ()
    rules: RulesReport | None = None
    trial: RulesTrial | None = None
    passed_on: float | None = None

    def failing(self, reason: str) -> ArtifactReport:
        """The same report with the verdict ``fail``.

        Args:
            reason: The reason; added to the reasons of an earlier failure.
        """
        reason = f"{self.reason}; {reason}" if self.verdict == "fail" else reason
        return msgspec.structs.replace(self, verdict="fail", reason=reason, images_needed=None)

    def metrics(self, n: int) -> Metrics:
        """The metrics for the manifest.

        Args:
            n: Images compared.
        """
        fields = {name: getattr(self, name) for name in Metrics.__struct_fields__ if name != "n"}
        return Metrics(n=n, **fields)


_NEWER = ("rules", "trial", "passed_on", "stop")
"""Fields of an artifact that versions before schema 2 of the manifest refuse."""


class CheckReport(Strict, frozen=True):
    """``check.json``: everything needed to recompute the verdict.

    Attributes:
        verdict: The worst of the artifacts'.
        margin: Largest top-1 drop that passes, in fractions of 1.
        n: Images compared.
        data: Path or name of the images.
        data_sha256: Hash of their contents.
        reference: The full model.
        artifacts: Each artifact by kind.
        skipped: Artifacts that no installed engine can run, with the reason.
        unmade: Artifacts that are not in the bundle because they could not be made, with the error.
        classes: Each class that has images.
        missing_classes: Classes without images, which are not judged.
        unreadable: Files that could not be read and were left out.
        parity: Every model against every other.
        pareto: Size, latency and accuracy, with the Pareto set.
        cpu: The CPU it ran on.
        notes: Findings about the models' outputs, such as the order of the classes.
        sequential: How the images were taken one by one; None if all were judged together.
    """

    verdict: GateVerdict
    margin: float
    n: int
    data: str
    data_sha256: str
    reference: ReferenceReport
    artifacts: dict[str, ArtifactReport]
    skipped: dict[str, str] = msgspec.field(default_factory=dict)
    unmade: dict[str, str] = msgspec.field(default_factory=dict)
    classes: tuple[ClassReport, ...] = ()
    missing_classes: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    parity: ParityReport | None = None
    pareto: ParetoReport | None = None
    cpu: CpuReport | None = None
    notes: tuple[str, ...] = ()
    sequential: SequentialRun | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; newer fields only where they say something, for versions that do not know them."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        for part, fields in (
            (plain, ("sequential",)),
            *((one, _NEWER) for one in plain["artifacts"].values()),
        ):
            for field in fields:
                if part[field] is None:
                    del part[field]
        return plain

    def only(self, kinds: Collection[str]) -> CheckReport:
        """The report on some artifacts only; the Pareto set stays complete, to show what else was tried.

        Args:
            kinds: The kinds to keep, at least one of them judged.
        """
        artifacts = {kind: found for kind, found in self.artifacts.items() if kind in kinds}
        skipped = {kind: why for kind, why in self.skipped.items() if kind in kinds}
        verdict = overall([found.verdict for found in artifacts.values()])
        return msgspec.structs.replace(self, artifacts=artifacts, skipped=skipped, verdict=verdict)

    def with_golden(self, replays: Mapping[str, GoldenReport]) -> CheckReport:
        """Adds golden replays; an artifact whose results cannot be reproduced fails.

        Args:
            replays: By kind; kinds that were not judged are left out.
        """
        return self.with_artifacts(after_replays(self.artifacts, replays))

    def with_artifacts(self, artifacts: dict[str, ArtifactReport]) -> CheckReport:
        """Replaces the artifacts; the verdict and the Pareto set follow.

        Args:
            artifacts: The new report of each, by kind.
        """
        verdict = overall([found.verdict for found in artifacts.values()])
        changed = msgspec.structs.replace(self, artifacts=artifacts, verdict=verdict)
        if self.pareto is None:
            return changed
        return changed.with_pareto(next((point.name for point in self.pareto.points if point.picked), ""))

    def with_tables(self, classes: tuple[ClassReport, ...], parity: ParityReport) -> CheckReport:
        """Replaces what was compared across artifacts.

        Args:
            classes: Each class that has images.
            parity: Every model against every other.
        """
        return msgspec.structs.replace(self, classes=classes, parity=parity)

    def with_notes(self, notes: tuple[str, ...]) -> CheckReport:
        """Adds findings about the models' outputs.

        Args:
            notes: In words.
        """
        return msgspec.structs.replace(self, notes=self.notes + notes)

    def with_unmade(self, unmade: Mapping[str, str]) -> CheckReport:
        """Adds artifacts that could not be made; they do not affect the verdict.

        Args:
            unmade: The error by kind.
        """
        return msgspec.structs.replace(self, unmade=dict(unmade))

    def with_pareto(self, picked: str = "") -> CheckReport:
        """Adds the Pareto set of its artifacts.

        Args:
            picked: The artifact that ships, if one was picked.
        """
        return msgspec.structs.replace(self, pareto=pareto_of(self.artifacts, picked))

    def with_repairs(
        self, repairs: Mapping[str, RepairReport], calibrations: Mapping[str, CalibrationReport]
    ) -> CheckReport:
        """Adds how artifacts were repaired, and how good their calibration was.

        Args:
            repairs: By kind; kinds that were not judged are left out.
            calibrations: Likewise.
        """
        return self._with_each(repair=repairs, calibration=calibrations)

    def with_rules(self, reports: Mapping[str, RulesReport]) -> CheckReport:
        """Adds the rules that were made.

        Args:
            reports: By kind, each of them judged.
        """
        return self._with_each(rules=reports)

    def with_trials(self, trials: Mapping[str, RulesTrial]) -> CheckReport:
        """Adds how the rules of a bundle do.

        Args:
            trials: By kind, each of them judged.
        """
        return self._with_each(trial=trials)

    def _with_each(self, **given: Mapping[str, Any]) -> CheckReport:
        """Replaces fields of the artifacts, each by what is given for its kind; None where there is nothing."""
        artifacts = {
            kind: msgspec.structs.replace(found, **{field: table.get(kind) for field, table in given.items()})
            for kind, found in self.artifacts.items()
        }
        return msgspec.structs.replace(self, artifacts=artifacts)

    def raise_for_verdict(self, inconclusive: str = "error") -> None:
        """Raises the error the command exits with.

        Args:
            inconclusive: How to treat an inconclusive verdict: ``error`` (exit 3), ``pass`` or ``fail``.

        Raises:
            GateFailedError: An artifact failed, or is inconclusive and treated as a failure.
            InconclusiveError: An artifact is inconclusive.
        """
        bad, open_ = named(self.artifacts, "fail"), named(self.artifacts, "inconclusive")
        limit = f"{100 * self.margin:g} points"
        if bad or (open_ and inconclusive == "fail"):
            raise GateFailedError(
                f"Every artifact must be within {limit} of the full model. Received: {'; '.join(bad or open_)}. "
                "See the report, calibrate on more images, or leave that artifact out."
            )
        if open_ and inconclusive == "error":
            unsettled = [found for found in self.artifacts.values() if found.verdict == "inconclusive"]
            if all(self._open_for_its_kernels(found) for found in unsettled):
                raise InconclusiveError(
                    f"Every artifact must give the same answers on every CPU. Received: {'; '.join(open_)}. "
                    "Do that, or settle it with --inconclusive pass|fail."
                )
            raise InconclusiveError(
                f"A verdict needs enough labelled images. Received: {'; '.join(open_)}. "
                "Pass more with --data, a wider --margin, or settle it with --inconclusive pass|fail."
            )

    def _open_for_its_kernels(self, found: ArtifactReport) -> bool:
        """Whether there are enough images, and the artifact is inconclusive only because of CPU differences."""
        enough = found.bound > -self.margin
        return enough and found.kernels is not None and found.kernels.depends_on_cpu


def pareto_of(artifacts: Mapping[str, ArtifactReport], picked: str = "") -> ParetoReport:
    """The Pareto set of size, latency and top-1.

    Args:
        artifacts: The report of each, by kind.
        picked: The artifact that ships, if one was picked.
    """
    best = on_front([(found.bytes, found.latency_ms, -found.top1) for found in artifacts.values()])
    return ParetoReport(
        tuple(
            ParetoPoint(
                name=name,
                bytes=found.bytes,
                latency_ms=found.latency_ms,
                top1=found.top1,
                delta=found.delta,
                verdict=found.verdict,
                on_front=front,
                picked=name == picked,
            )
            for (name, found), front in zip(artifacts.items(), best, strict=True)
        )
    )
