"""Runs artifacts on images and judges each against the full model's scores, and all against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec
import numpy as np

from edge_runtime.bundle.labels import check_count
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec
from exporter.evidence.classes import MissingClasses, check_classes, class_reports
from exporter.evidence.diagnostics import DiagnosticsRunner
from exporter.evidence.record import DiagnosticOptions, LayerReport, ParityReport
from exporter.formats.onnx_run import cpu_report
from exporter.judge.one_artifact import artifact_report, reference_report
from exporter.judge.run_artifacts import check_numbers, running
from exporter.judge.verdict import ArtifactReport, CheckReport, pareto_of
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable, set_sha256
from exporter.source.scoring import HERE, Scoring
from exporter.statistics.comparison import compare
from exporter.statistics.drift import agreement
from exporter.statistics.gate import Gate, fixed_gate, overall
from exporter.statistics.row_blocks import row_blocks

FULL_MODEL = "full model"
"""Its name in tables, beside those of the artifacts."""


@dataclass(frozen=True)
class Judgement:
    """A report with the scores it is based on.

    Attributes:
        report: The result.
        reference: The full model's scores, float32 ``[n, classes]``.
        scores: Each artifact's scores, by name.
        tensors: All tensors of quantized artifacts against their float file, by name.
    """

    report: CheckReport
    reference: Float32Array
    scores: Mapping[str, Float32Array]
    tensors: Mapping[str, tuple[LayerReport, ...]] = field(default_factory=dict)


def judge(
    candidates: list[Candidate],
    reference: Float32Array,
    table: PixelTable,
    *,
    file: str,
    sha256: str,
    margin: float,
    threads: int = 1,
    progress: Progress = no_progress,
    diagnostics: DiagnosticOptions | None = None,
    missing_classes: MissingClasses = "error",
    input: InputSpec | None = None,
    gate: Gate = fixed_gate,
    scoring: Scoring = HERE,
) -> Judgement:
    """Judges artifacts.

    Args:
        candidates: The artifacts.
        reference: The full model's scores of the table, float32 ``[n, classes]``.
        table: Images and true classes.
        file: The full model's file, for the record.
        sha256: Its hash, for the record.
        margin: Largest top-1 drop that passes, in fractions of 1.
        threads: Threads per inference.
        progress: Progress callback.
        diagnostics: What to measure beside the verdict; None measures everything.
        missing_classes: How to treat a class without images.
        input: The model's input; None skips preprocessing in the attribution.
        gate: Decides on the top-1 difference.
        scoring: Who scores.

    Raises:
        BundleError: The labels do not match the full model's outputs.
        DataError: A class has no images, and that is not allowed.
        EnvironmentMissingError: No installed engine can run any of them.
        ModelFileError: An artifact does not load, takes other images, has other classes or
            returns NaN or infinity, or the full model does.
    """
    labels, classes = table.images.labels, reference.shape[1]
    check_count(labels, classes)
    absent = check_classes(table.images, missing_classes)
    check_numbers(reference, "the full model", file, table)
    with running(candidates, table, classes, threads=threads, progress=progress, scoring=scoring) as ran:
        judged, engines, scores = ran.judged, ran.engines, ran.scores
        runner = DiagnosticsRunner(
            diagnostics or DiagnosticOptions(), judged, reference, scores, table, input
        )
        reports: dict[str, ArtifactReport] = {}
        tensors: dict[str, tuple[LayerReport, ...]] = {}
        for candidate in judged:
            name = candidate.name
            progress(f"diagnosing {name}", 0, 0)
            one = artifact_report(
                candidate,
                engines[name].name,
                scores[name],
                table,
                partial(compare, reference, truth=table.truth, labels=labels, margin=margin, gate=gate),
                latency_ms=ran.latency_ms[name],
                passed_on=ran.passed_on[name],
                threads=threads,
                progress=progress,
                scoring=scoring,
            )
            with quiet():
                found = runner.run(candidate, engines[name], integers=one.kernels is not None)
            reports[name] = msgspec.structs.replace(
                one,
                attribution=found.attribution,
                engines=found.engines,
                layers=found.layers,
                missing=found.missing + one.missing,
            )
            if found.tensors:
                tensors[name] = found.tensors
    report = CheckReport(
        verdict=overall([found.verdict for found in reports.values()]),
        margin=margin,
        n=len(table.truth),
        data=table.images.source,
        data_sha256=set_sha256(table.images),
        reference=reference_report(reference, table, file, sha256),
        artifacts=reports,
        skipped=dict(ran.skipped),
        classes=class_reports(reference, scores, table.truth, labels),
        missing_classes=absent,
        unreadable=table.unreadable,
        parity=parity_report(reference, scores),
        pareto=pareto_of(reports),
        cpu=cpu_report(),
    )
    return Judgement(report, reference, scores, tensors)


def parity_report(reference: Float32Array, scores: Mapping[str, Float32Array]) -> ParityReport:
    """Compares all pairs.

    Args:
        reference: The full model's scores ``[n, classes]``.
        scores: Scores of each artifact on the same images, by name.
    """
    tables = {FULL_MODEL: reference, **scores}
    names = tuple(tables)
    agreed = np.ones((len(names), len(names)))
    change = np.zeros((len(names), len(names)))
    for row, one in enumerate(names):
        for column, other in enumerate(names[:row]):
            agreed[row, column] = agreed[column, row] = agreement(tables[one], tables[other])
            change[row, column] = change[column, row] = _largest_change(tables[one], tables[other])
    return ParityReport(
        names=names,
        agreement=tuple(tuple(map(float, row)) for row in agreed),
        max_abs_dp=tuple(tuple(map(float, row)) for row in change),
    )


def _largest_change(one: Float32Array, other: Float32Array) -> float:
    """In 32 bits, as the scores are."""
    return float(max(np.max(np.abs(one[rows] - other[rows])) for rows in row_blocks(len(one))))
