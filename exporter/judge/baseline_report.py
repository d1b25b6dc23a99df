"""Changes since the baseline, as in ``snapship check --json`` and the reports."""

from __future__ import annotations

from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.errors import GateFailedError, InconclusiveError
from exporter.judge.artifact_verdicts import named
from exporter.statistics.gate import GateVerdict


class Change(Strict, frozen=True):
    """Changes of an artifact since it was accepted, new minus accepted.

    Attributes:
        verdict: ``pass``, ``fail`` or ``inconclusive``.
        reason: The reason, in words.
        delta: Change of top-1, in fractions of 1.
        bound: Lower end of its paired one-sided 95 % interval.
        lost: Images classified correctly then and wrongly now.
        won: Images classified wrongly then and correctly now.
        agreement_change: Change of the agreement with the full model.
        bytes: Size of its file now.
        growth: Change of the size as a share of the accepted size.
    """

    verdict: GateVerdict
    reason: str
    delta: float
    bound: float
    lost: int
    won: int
    agreement_change: float
    bytes: int
    growth: float


class BaselineReport(Strict, frozen=True):
    """All artifacts since the baseline.

    Attributes:
        verdict: The worst of the changes'; ``fail`` if an artifact is gone.
        margin: Largest top-1 drop since then that passes, in fractions of 1.
        artifacts: Artifacts in both, by kind.
        added: Kinds that are not in the baseline.
        gone: Kinds that are only in the baseline.
        skipped: Kinds of the baseline that no installed engine can run.
        reference_change: Change of the full model's top-1.
    """

    verdict: GateVerdict
    margin: float
    artifacts: dict[str, Change]
    added: tuple[str, ...]
    gone: tuple[str, ...]
    skipped: tuple[str, ...]
    reference_change: float

    def raise_for_verdict(self, inconclusive: str = "error") -> None:
        """Raises the error the command exits with.

        Args:
            inconclusive: How to treat an inconclusive verdict: ``error`` (exit 3), ``pass`` or ``fail``.

        Raises:
            GateFailedError: An artifact got worse or is gone, or is inconclusive and treated as a failure.
            InconclusiveError: An artifact is inconclusive.
        """
        bad = named(self.artifacts, "fail") + [f"{kind}: no longer exported" for kind in self.gone]
        open_ = named(self.artifacts, "inconclusive")
        if bad or (open_ and inconclusive == "fail"):
            raise GateFailedError(
                f"No artifact may be worse than its baseline. Received: {'; '.join(bad or open_)}. "
                "Fix it, or accept the new result with --accept."
            )
        if open_ and inconclusive == "error":
            raise InconclusiveError(
                f"A comparison with the baseline needs enough images. Received: {'; '.join(open_)}. "
                "Pass more with --data and --accept, or settle it with --inconclusive pass|fail."
            )
