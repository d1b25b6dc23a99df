"""The result of a check on photos without labels, as ``--json`` writes it. What needs labels is not in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.errors import GateFailedError, InconclusiveError
from exporter.common.wording import agreement_text
from exporter.evidence.record import GoldenReport, KernelsReport
from exporter.formats.half_precision import Magnitude
from exporter.formats.onnx_run import CpuReport
from exporter.judge.artifact_verdicts import after_replays, named
from exporter.statistics.gate import GateVerdict, overall


class UnlabelledReference(Strict, frozen=True):
    """The full model.

    Attributes:
        file: Its file.
        sha256: Hash of its file.
    """

    file: str
    sha256: str


class LabelCounts(Strict, frozen=True):
    """The answers of a person.

    Attributes:
        differing: Photos on which an artifact and the full model differ; copies count once.
        answered: Those that have an answer.
        cannot_tell: Those whose answer is "cannot tell", which stay without a label.
        unused: Answers about photos of the folder on which no artifact differs.
    """

    differing: int
    answered: int
    cannot_tell: int
    unused: int


class UnlabelledArtifact(Strict, frozen=True):
    """An artifact against the full model on photos of which only some have a label.

    Attributes:
        verdict: ``pass`` or ``fail`` if every way to label the remaining photos gives it, else ``inconclusive``.
        reason: The reason, in words.
        differing: Images with another answer than the full model's; copies count as often as they occur.
        answered: Those that have a label.
        lost: Those that only the full model names right.
        won: Those that only the artifact names right.
        unanswered: Those without a label: ``differing - answered``.
        answers_at_least: Fewest further answers, in photos to look at, that can settle the verdict; None if it is
            settled, or if no answers can.
        answers_needed: About how many will, if they go on like those so far, or, before the first, if they all
            turn out to change nothing; None as above, or if they would not.
        agreement: Share of images with the full model's answer.
        kl: Mean KL divergence in nats, scores floored at 1/512.
        max_abs_dp: Largest change of any score.
        bytes: Size of its file.
        latency_ms: Median of one inference with one thread, on this machine.
        engine: The interpreter that ran it.
        golden: A replay of the bundle's golden examples.
        kernels: Whether it gives the same answers on every CPU, for a quantized .onnx file.
        half: The largest magnitude in it, for a file that other devices compute in float16.
        missing: What could not be measured, with the reason.
    """

    verdict: GateVerdict
    reason: str
    differing: int
    answered: int
    lost: int
    won: int
    unanswered: int
    answers_at_least: int | None
    answers_needed: int | None
    agreement: float
    kl: float
    max_abs_dp: float
    bytes: int
    latency_ms: float
    engine: str
    golden: GoldenReport | None = None
    kernels: KernelsReport | None = None
    half: Magnitude | None = None
    missing: tuple[str, ...] = ()

    def failing(self, reason: str) -> UnlabelledArtifact:
        """The same report with the verdict ``fail``, which no answers change.

        Args:
            reason: The reason; added to the reasons of an earlier failure.
        """
        reason = f"{self.reason}; {reason}" if self.verdict == "fail" else reason
        return msgspec.structs.replace(
            self, verdict="fail", reason=reason, answers_at_least=None, answers_needed=None
        )


class UnlabelledReport(Strict, frozen=True):
    """A check on photos without labels.

    Attributes:
        verdict: The worst of the artifacts'.
        margin: Largest top-1 drop that passes, in fractions of 1.
        n: Images compared.
        data: Path of the photos.
        data_sha256: Hash of their contents.
        labels: The answers so far.
        reference: The full model.
        artifacts: Each artifact by kind.
        skipped: Artifacts that no installed engine can run, with the reason.
        unmade: Artifacts that are not in the bundle because they could not be made, with the error.
        unreadable: Files that could not be read and were left out.
        cpu: The CPU it ran on.
        notes: Findings in words.
    """

    verdict: GateVerdict
    margin: float
    n: int
    data: str
    data_sha256: str
    labels: LabelCounts
    reference: UnlabelledReference
    artifacts: dict[str, UnlabelledArtifact]
    skipped: dict[str, str] = msgspec.field(default_factory=dict)
    unmade: dict[str, str] = msgspec.field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    cpu: CpuReport | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def with_artifacts(self, artifacts: Mapping[str, UnlabelledArtifact]) -> UnlabelledReport:
        """Replaces the artifacts; the verdict follows.

        Args:
            artifacts: The new report of each, by kind.
        """
        verdict = overall([found.verdict for found in artifacts.values()])
        return msgspec.structs.replace(self, artifacts=dict(artifacts), verdict=verdict)

    def with_golden(self, replays: Mapping[str, GoldenReport]) -> UnlabelledReport:
        """Adds golden replays; an artifact whose results cannot be reproduced fails.

        Args:
            replays: By kind; kinds that were not judged are left out.
        """
        return self.with_artifacts(after_replays(self.artifacts, replays))

    def with_notes(self, notes: tuple[str, ...]) -> UnlabelledReport:
        """Adds findings.

        Args:
            notes: In words.
        """
        return msgspec.structs.replace(self, notes=self.notes + notes)

    def with_unmade(self, unmade: Mapping[str, str]) -> UnlabelledReport:
        """Adds artifacts that could not be made; they do not affect the verdict.

        Args:
            unmade: The error by kind.
        """
        return msgspec.structs.replace(self, unmade=dict(unmade))

    def with_agreement(self, share: float) -> UnlabelledReport:
        """Fails the artifacts that agree with the full model too rarely.

        Args:
            share: Smallest share of images with the full model's answer, 0..1.
        """
        artifacts = {}
        for kind, found in self.artifacts.items():
            if found.agreement < share:
                found = found.failing(agreement_text(found.agreement, share))
            artifacts[kind] = found
        return self.with_artifacts(artifacts)

    def raise_for_verdict(self, inconclusive: str = "error") -> None:
        """Raises the error the command exits with.

        Args:
            inconclusive: How to treat an inconclusive verdict: ``error`` (exit 3), ``pass`` or ``fail``.

        Raises:
            GateFailedError: An artifact failed, or is inconclusive and treated as a failure.
            InconclusiveError: An artifact is inconclusive.
        """
        bad, open_ = named(self.artifacts, "fail"), named(self.artifacts, "inconclusive")
        if bad or (open_ and inconclusive == "fail"):
            raise GateFailedError(
                f"Every artifact must be within {100 * self.margin:g} points of the full model. Received: "
                f"{'; '.join(bad or open_)}. Calibrate on more images, or leave that artifact out."
            )
        if open_ and inconclusive == "error":
            answerable = any(one.answers_at_least is not None for one in self.artifacts.values())
            cure = (
                "Answer the photos of --ask FOLDER and pass --answers FILE"
                if answerable
                else "Pass more photos with --data, or a wider --margin"
            )
            raise InconclusiveError(
                "A verdict must hold however the photos without an answer are labelled. Received: "
                f"{'; '.join(open_)}. {cure}, or settle it with --inconclusive pass|fail."
            )
