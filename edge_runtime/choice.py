"""Chooses the artifact of a bundle to run."""

from __future__ import annotations

from edge_runtime.bundle import Bundle
from edge_runtime.engines.selection import ENGINES, usable
from edge_runtime.engines.selection import check_name, not_installed, without_engine
from edge_runtime.errors import GateFailedError, UsageError
from edge_runtime.manifest import Artifact

_SAFEST = ("fp32", "fp16", "int8", "dynamic", "int16x8")
"""Precisions, from the safest to the riskiest conversion."""


def choose(bundle: Bundle, kind: str | None, *, engine: str = "auto", allow_failed: bool = False) -> Artifact:
    """Picks the artifact to run.

    Args:
        bundle: An open bundle.
        kind: The artifact the user named, or None for the best one.
        engine: ``auto`` or the engine that must run it.
        allow_failed: Also take one whose verdict is ``fail``.

    Raises:
        UnknownNameError: The bundle has no such artifact, or there is no such engine.
        GateFailedError: It failed its check, or all did.
        EnvironmentMissingError: No installed engine runs any of them.
        UsageError: No engine can run any of them.
    """
    if engine != "auto":
        check_name(engine)
    if kind is not None:
        artifact = bundle.artifact(kind)
        if artifact.verdict == "fail" and not allow_failed:
            raise _failed(bundle, kind)
        return artifact
    formats = {entry.format for entry in ENGINES.values()}
    artifacts = tuple(entry for entry in bundle.manifest.artifacts if entry.format in formats)
    if not artifacts:
        other = bundle.manifest.artifacts[0]
        raise without_engine(other.format, f"{bundle.location}/{other.file}")
    if engine != "auto":
        artifacts = tuple(entry for entry in artifacts if entry.format == ENGINES[engine].format)
        if not artifacts:
            raise UsageError(
                f"The engine must read one of the bundle's artifacts. Received: engine {engine}, artifacts "
                f"{', '.join(entry.kind for entry in bundle.manifest.artifacts)}. Pass another --engine."
            )
    allowed = [entry for entry in artifacts if allow_failed or entry.verdict != "fail"]
    if not allowed:
        raise _failed(bundle, ", ".join(entry.kind for entry in artifacts))
    runnable = [entry for entry in allowed if usable(entry.format, engine, entry.precision)]
    if not runnable:
        # If the engine is installed, its own refusal is more precise: float artifacts only.
        runnable = [entry for entry in allowed if usable(entry.format, engine)]
    if not runnable:
        raise not_installed(allowed[0].format, allowed[0].file, engine)
    return min(runnable, key=_order)


def _order(artifact: Artifact) -> tuple[int, ...]:
    """By verdict; then, of those that passed, the fastest on its engine, and of the others the safest."""
    trust = ("pass", "unchecked", "inconclusive", "fail").index(artifact.verdict)
    engine, fastest = next(
        (place, entry.fastest)
        for place, entry in enumerate(ENGINES.values())
        if entry.format == artifact.format
    )
    precision = artifact.precision
    risk = _SAFEST.index(precision) if precision in _SAFEST else len(_SAFEST)
    if artifact.verdict != "pass":
        return trust, risk, engine
    if precision not in fastest:
        return trust, 1, risk, engine
    return trust, 0, engine, fastest.index(precision)


def _failed(bundle: Bundle, kinds: str) -> GateFailedError:
    return GateFailedError(
        f"An artifact must not have failed its check. Received: {kinds} with verdict fail in "
        f"{bundle.location}. Choose another --artifact, or pass --allow-failed."
    )
