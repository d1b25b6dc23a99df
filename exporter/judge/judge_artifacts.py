"""Runs artifacts on images and judges each against the full model's scores, and all against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec
import numpy as np

from edge_runtime.bundle.labels import check_count
from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, SnapshipError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines import Engine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec
from exporter.evidence.classes import MissingClasses, check_classes, class_reports
from exporter.evidence.diagnostics import DiagnosticsRunner
from exporter.evidence.record import DiagnosticOptions, LayerReport, ParityReport
from exporter.evidence.temperature import temperature_report
from exporter.formats.half_precision import Magnitude, half_magnitude
from exporter.formats.kinds import KINDS
from exporter.formats.onnx_run import cpu_report
from exporter.judge.cpu_kernels import examine_kernels, with_kernels
from exporter.judge.verdict import ArtifactReport, CheckReport, ReferenceReport, pareto_of
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable, set_sha256
from exporter.source.scoring import engine_scorer, latencies_ms
from exporter.statistics.comparison import compare
from exporter.statistics.drift import agreement
from exporter.statistics.gate import overall

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
    engines: dict[str, Engine] = {}
    skipped = {one.name: one.unusable for one in candidates if one.unusable}
    judged = [one for one in candidates if not one.unusable]
    try:
        for candidate in judged:
            with quiet():
                engine = candidate.open(threads)
            engines[candidate.name] = engine
            _check_shapes(engine, candidate.name, table, classes)
        if not engines:
            raise EnvironmentMissingError.of_extra("Running the artifacts", "onnxruntime", "export")
        scores = {}
        for name, engine in engines.items():
            scores[name] = engine_scorer(engine, classes)(table.pixels, progress, f"checking {name}")
            check_numbers(scores[name], "an artifact", name, table)
        latency = latencies_ms(engines, table.pixels[0])
        runner = DiagnosticsRunner(
            diagnostics or DiagnosticOptions(), judged, reference, scores, table, input
        )
        reports: dict[str, ArtifactReport] = {}
        tensors: dict[str, tuple[LayerReport, ...]] = {}
        for candidate in judged:
            name = candidate.name
            progress(f"diagnosing {name}", 0, 0)
            compared = partial(
                compare, reference, truth=table.truth, labels=labels, margin=margin, exact=candidate.exact
            )
            kernels = examine_kernels(
                candidate, table.pixels, scores[name], compared, threads=threads, progress=progress
            )
            with quiet():
                found = runner.run(candidate, engines[name], integers=kernels is not None)
            half, unseen = _half(candidate, table)
            one = ArtifactReport(
                **msgspec.structs.asdict(compared(scores[name])),
                bytes=candidate.bytes,
                latency_ms=latency[name],
                engine=engines[name].name,
                temperature=temperature_report(scores[name], table.truth),
                attribution=found.attribution,
                engines=found.engines,
                layers=found.layers,
                half=half,
                missing=found.missing + unseen,
            )
            one = with_kernels(one, kernels)
            reports[name] = one.failing(half.text) if half is not None and half.overflows else one
            if found.tensors:
                tensors[name] = found.tensors
    finally:
        for engine in engines.values():
            engine.close()
    right = reference.argmax(axis=1) == table.truth
    softened = temperature_report(reference, table.truth)
    for other in candidates:
        if other.name in skipped:
            skipped[other.name] += _unseen_half(other, judged, table)
    report = CheckReport(
        verdict=overall([found.verdict for found in reports.values()]),
        margin=margin,
        n=len(table.truth),
        data=table.images.source,
        data_sha256=set_sha256(table.images),
        reference=ReferenceReport(file, float(right.mean()), softened.ece, sha256, softened),
        artifacts=reports,
        skipped=skipped,
        classes=class_reports(reference, scores, table.truth, labels),
        missing_classes=absent,
        unreadable=table.unreadable,
        parity=parity_report(reference, scores),
        pareto=pareto_of(reports),
        cpu=cpu_report(),
    )
    return Judgement(report, reference, scores, tensors)


def check_numbers(scores: Float32Array, whose: str, name: str, table: PixelTable) -> None:
    """Checks that scores are numbers.

    Args:
        scores: float32 ``[n, classes]``.
        whose: ``the full model`` or ``an artifact``, for the message.
        name: Its file or kind.
        table: The images.

    Raises:
        ModelFileError: One is NaN or infinite.
    """
    rows = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(rows):
        raise ModelFileError(
            f"The scores of {whose} must be numbers. Received: NaN or infinity from {name} on {len(rows)} of "
            f"{len(scores)} images of {table.images.source}, the first is {table.images.items[rows[0]].ref}. "
            "Train or export it again."
        )


def _half(candidate: Candidate, table: PixelTable) -> tuple[Magnitude | None, tuple[str, ...]]:
    """The largest magnitude of a float16 file; or the reason why it could not be measured."""
    try:
        with quiet():
            found = half_magnitude(
                candidate.model, candidate.format, candidate.name, table.pixels, candidate.feed
            )
    except SnapshipError as error:
        return None, (f"half precision: {str(error).rstrip('.')}",)
    return found, ()


def _unseen_half(candidate: Candidate, judged: list[Candidate], table: PixelTable) -> str:
    """A warning that a float16 file no engine here can run, such as Core ML's, overflows; a float file shows it."""
    floats = [one for one in judged if one.exact and one.format in ("tflite", "onnx")]
    if not floats or candidate.name not in KINDS or KINDS[candidate.name].precision != "fp16":
        return ""
    one = floats[0]
    try:
        with quiet():
            found = half_magnitude(one.model, one.format, one.name, table.pixels, one.feed, widths="any")
    except SnapshipError:
        # The results of the float file are unaffected: no reason to fail a check.
        return ""
    return f"; it {found.text}" if found is not None and found.overflows else ""


def _check_shapes(engine: Engine, name: str, table: PixelTable, classes: int) -> None:
    taken, given = engine.input.shape[1:], engine.output.shape[-1]
    if taken != table.pixels.shape[1:] or given != classes:
        raise ModelFileError(
            f"An artifact must have the shapes of the full model. Received: {name} with {list(taken)} -> "
            f"{given}, full model {list(table.pixels.shape[1:])} -> {classes}. Compare files of the same model."
        )


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
            change[row, column] = change[column, row] = np.max(np.abs(tables[one] - tables[other]))
    return ParityReport(
        names=names,
        agreement=tuple(tuple(map(float, row)) for row in agreed),
        max_abs_dp=tuple(tuple(map(float, row)) for row in change),
    )
