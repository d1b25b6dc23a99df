"""Golden replay: do the artifacts of a bundle reproduce their recorded results on this machine?"""

from __future__ import annotations

from edge_runtime.bundle import Bundle
from edge_runtime.golden import Replay, selftest
from exporter.evidence.record import GoldenReport


def replay_golden(bundle: Bundle, *, threads: int = 1) -> dict[str, GoldenReport]:
    """Replays a bundle's golden examples on each artifact that an installed engine can run.

    Args:
        bundle: An open bundle.
        threads: Threads per inference.

    Returns:
        The replays by kind; empty if the bundle has no golden examples.

    Raises:
        BundleError: The golden examples are damaged.
    """
    if bundle.manifest.golden is None:
        return {}
    by_kind: dict[str, list[Replay]] = {}
    for replay in selftest(bundle, threads=threads).replays:
        by_kind.setdefault(replay.artifact, []).append(replay)
    return {kind: _report(replays) for kind, replays in by_kind.items()}


def _report(replays: list[Replay]) -> GoldenReport:
    failed = [replay for replay in replays if replay.failed is not None]
    changes = [replay.max_abs_dp for replay in replays if replay.max_abs_dp is not None]
    finite = [change for change in changes if change == change and change != float("inf")]
    reason = ""
    if failed:
        first = failed[0]
        reason = f"{len(failed)} of {len(replays)} golden examples differ, first {first.file}: {first.detail}"
    return GoldenReport(
        passed=not failed,
        examples=len(replays),
        max_abs_dp=max(finite) if finite else None,
        tolerance=replays[0].tolerance,
        reason=reason,
    )
