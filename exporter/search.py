"""``--best size|latency``: picks the artifact to ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_runtime.errors import GateFailedError, InconclusiveError
from exporter.amounts import latency_text, size_text
from exporter.config import Best
from exporter.evidence.record import ParetoPoint
from exporter.verdict import ArtifactReport


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
