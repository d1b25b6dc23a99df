"""What a check found, as it is written to ``check.json``."""

from __future__ import annotations

from typing import Any

import msgspec

from edge_runtime.bundle import Bundle
from edge_runtime.errors import GateFailedError, InconclusiveError
from edge_runtime.manifest import Metrics, Strict, WorstClass, decode_json
from exporter.gate import Comparison, GateVerdict

CHECK_FILE = "check.json"


class ReferenceReport(Strict, frozen=True):
    """The full model.

    Attributes:
        file: Its file, relative to the bundle where it is one.
        top1: Its top-1 on the same images, 0..1.
        ece: Its expected calibration error, 15 bins.
        sha256: Hash of its file.
    """

    file: str
    top1: float
    ece: float
    sha256: str


class ArtifactReport(Strict, frozen=True):
    """An artifact against the full model; fields as in :class:`exporter.gate.Comparison`.

    Attributes:
        bytes: Size of its file.
        latency_ms: Median of one inference with one thread, on this machine.
        engine: The interpreter that ran it.
    """

    verdict: GateVerdict
    reason: str
    top1: float
    delta: float
    bound: float
    upper: float
    lost: int
    won: int
    agreement: float
    kl: float
    max_abs_dp: float
    ece: float
    worst_class: WorstClass
    images_needed: int | None
    bytes: int
    latency_ms: float
    engine: str

    @classmethod
    def of(cls, found: Comparison, *, bytes: int, latency_ms: float, engine: str) -> ArtifactReport:
        """Joins a comparison with what was measured beside it.

        Args:
            found: The comparison.
            bytes: Size of the file.
            latency_ms: Median of one inference.
            engine: The interpreter's name.
        """
        fields = {name: getattr(found, name) for name in found.__dataclass_fields__ if name != "n"}
        return cls(**fields, bytes=bytes, latency_ms=latency_ms, engine=engine)

    def metrics(self, n: int) -> Metrics:
        """The manifest's form of it.

        Args:
            n: Images compared.
        """
        fields = {name: getattr(self, name) for name in Metrics.__struct_fields__ if name != "n"}
        return Metrics(n=n, **fields)


class CheckReport(Strict, frozen=True):
    """``check.json``: all that the verdict can be recomputed from.

    Attributes:
        verdict: The worst of the artifacts'.
        margin: Largest top-1 drop that passes, in fractions of 1.
        n: Images compared.
        data: Path or name of the images.
        data_sha256: Hash of their contents.
        reference: The full model.
        artifacts: Each artifact by kind.
        skipped: Artifacts that no installed engine runs, with the reason.
    """

    verdict: GateVerdict
    margin: float
    n: int
    data: str
    data_sha256: str
    reference: ReferenceReport
    artifacts: dict[str, ArtifactReport]
    skipped: dict[str, str] = msgspec.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def raise_for_verdict(self, inconclusive: str = "error") -> None:
        """Raises what the command exits with.

        Args:
            inconclusive: What too few images mean: ``error`` (exit 3), ``pass`` or ``fail``.

        Raises:
            GateFailedError: An artifact failed, or is inconclusive and that means fail.
            InconclusiveError: An artifact is inconclusive.
        """
        bad = [kind for kind, found in self.artifacts.items() if found.verdict == "fail"]
        open_ = [kind for kind, found in self.artifacts.items() if found.verdict == "inconclusive"]
        limit = f"{100 * self.margin:g} points"
        if bad or (open_ and inconclusive == "fail"):
            named = "; ".join(f"{kind}: {self.artifacts[kind].reason}" for kind in bad or open_)
            raise GateFailedError(
                f"Every artifact must be within {limit} of the full model. Received: {named}. "
                "Look at the report, calibrate on more images, or leave that artifact out."
            )
        if open_ and inconclusive == "error":
            named = "; ".join(f"{kind}: {self.artifacts[kind].reason}" for kind in open_)
            raise InconclusiveError(
                f"A verdict needs enough labelled images. Received: {named}. "
                "Pass more with --data, a wider --margin, or settle it with --inconclusive pass|fail."
            )


def saved_report(bundle: Bundle) -> CheckReport | None:
    """Reads the check that a bundle brings along; None if it has none.

    Args:
        bundle: An open bundle.

    Raises:
        BundleError: It is damaged.
    """
    if not bundle.has(CHECK_FILE):
        return None
    report: CheckReport = decode_json(bundle.read(CHECK_FILE), CheckReport, f"{bundle.location}/{CHECK_FILE}")
    return report
