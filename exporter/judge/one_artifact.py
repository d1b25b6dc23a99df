"""What a check says of one artifact: its verdict, its answers on other CPUs, and whether half precision holds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from edge_runtime.common.progress import Progress
from edge_runtime.engines.result import Float32Array
from exporter.evidence.temperature import temperature_report
from exporter.judge.cpu_kernels import examine_kernels, with_kernels
from exporter.judge.run_artifacts import measured_half
from exporter.judge.verdict import ArtifactReport, ReferenceReport
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable
from exporter.source.scoring import HERE, Scoring
from exporter.statistics.comparison import Comparison
from exporter.statistics.gate import GateVerdict


def artifact_report(
    candidate: Candidate,
    engine: str,
    scores: Float32Array,
    table: PixelTable,
    compared: Callable[..., Comparison],
    *,
    latency_ms: float,
    passed_on: float | None,
    threads: int,
    progress: Progress,
    scoring: Scoring = HERE,
) -> ArtifactReport:
    """The verdict on one artifact: its scores, its kernels on other CPUs, and half precision.

    Args:
        candidate: The artifact.
        engine: The name of the engine that ran it.
        scores: Its scores of the table, float32 ``[n, classes]``.
        table: The images.
        compared: Runs the gate on scores of the same images; takes ``exact``.
        latency_ms: Typical time of one inference.
        passed_on: Share of the images that a cascade passed on, 0..1; None for one file.
        threads: Threads per inference.
        progress: Progress callback.
        scoring: Who scores.
    """
    compared = partial(compared, exact=candidate.exact)
    kernels = examine_kernels(
        candidate,
        table.pixels,
        scores,
        partial(_gated, compared),
        threads=threads,
        progress=progress,
        scoring=scoring,
    )
    half, unseen = measured_half(candidate, table)
    one = ArtifactReport(
        **msgspec.structs.asdict(compared(scores)),
        bytes=candidate.bytes,
        latency_ms=latency_ms,
        passed_on=passed_on,
        engine=engine,
        temperature=temperature_report(scores, table.truth),
        half=half,
        missing=unseen,
    )
    one = with_kernels(one, kernels)
    return one.failing(half.text) if half is not None and half.overflows else one


def _gated(
    compared: Callable[[Float32Array], Comparison], scores: Float32Array
) -> tuple[GateVerdict, float | None]:
    found = compared(scores)
    return found.verdict, found.top1


def reference_report(reference: Float32Array, table: PixelTable, file: str, sha256: str) -> ReferenceReport:
    """The full model on the judging images.

    Args:
        reference: Its scores of the table, float32 ``[n, classes]``.
        table: Images and true classes.
        file: Its file, for the record.
        sha256: The file's hash.
    """
    right = reference.argmax(axis=1) == table.truth
    softened = temperature_report(reference, table.truth)
    return ReferenceReport(file, float(right.mean()), softened.ece, sha256, softened)
