"""Runs artifacts on images and judges each against the full model's scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.engines import Engine, open_engine, usable
from edge_runtime.errors import EnvironmentMissingError, ModelFileError
from edge_runtime.labels import check_count
from edge_runtime.manifest import Format
from edge_runtime.result import Float32Array
from exporter.drift import expected_calibration_error
from exporter.gate import compare, overall
from exporter.images import PixelTable, set_sha256
from exporter.scoring import engine_scorer, latencies_ms
from exporter.verdict import ArtifactReport, CheckReport, ReferenceReport

Progress = Callable[[str, int, int], None]
"""Called with what is being done, images done, images in all."""


@dataclass(frozen=True)
class Candidate:
    """A model file to judge.

    Attributes:
        name: What to call it, an artifact's kind or a file name.
        model: Its path or bytes.
        format: ``tflite`` or ``onnx``.
        exact: Whether its scores must equal the full model's.
        bytes: Its size.
    """

    name: str
    model: Path | bytes
    format: Format
    exact: bool
    bytes: int


@dataclass(frozen=True)
class Judgement:
    """A report with the scores that it was made from.

    Attributes:
        report: What was found.
        reference: The full model's scores, float32 ``[n, classes]``.
        scores: Each artifact's scores, by name.
    """

    report: CheckReport
    reference: Float32Array
    scores: Mapping[str, Float32Array]


def judge(
    candidates: list[Candidate],
    reference: Float32Array,
    table: PixelTable,
    *,
    file: str,
    sha256: str,
    margin: float,
    threads: int = 1,
    progress: Progress | None = None,
) -> Judgement:
    """Judges artifacts.

    Args:
        candidates: The artifacts.
        reference: The full model's scores of the table, float32 ``[n, classes]``.
        table: Images and true classes.
        file: The full model's file, for the record.
        sha256: Its hash, for the record.
        margin: Largest top-1 drop that passes, in fractions of 1.
        threads: Threads of one inference.
        progress: Told how far it is.

    Raises:
        EnvironmentMissingError: No installed engine runs any of them.
        ModelFileError: An artifact does not load or takes other images, or the full
            model's scores are no numbers.
    """
    labels, classes = table.images.labels, reference.shape[1]
    check_count(labels, classes)
    if not np.isfinite(reference).all():
        raise ModelFileError(
            f"A full model's scores must be numbers. Received: NaN or infinity from {file} on images of "
            f"{table.images.source}. Train it again, with a smaller learning rate."
        )
    engines: dict[str, Engine] = {}
    skipped: dict[str, str] = {}
    try:
        for candidate in candidates:
            if not usable(candidate.format):
                skipped[candidate.name] = f"no engine for .{candidate.format} is installed"
                continue
            engine = open_engine(candidate.model, candidate.format, candidate.name, threads=threads)
            engines[candidate.name] = engine
            _check_shapes(engine, candidate.name, table, classes)
        if not engines:
            raise EnvironmentMissingError.of_extra("Running the artifacts", "onnxruntime", "export")
        scores = {}
        for name, engine in engines.items():
            step = f"checking {name}"
            scores[name] = engine_scorer(engine, classes)(
                table.pixels, None if progress is None else _named(progress, step)
            )
        latency = latencies_ms(engines, table.pixels[0])
        reports = {
            candidate.name: ArtifactReport.of(
                compare(
                    reference,
                    scores[candidate.name],
                    table.truth,
                    labels,
                    margin=margin,
                    exact=candidate.exact,
                ),
                bytes=candidate.bytes,
                latency_ms=latency[candidate.name],
                engine=engines[candidate.name].name,
            )
            for candidate in candidates
            if candidate.name in engines
        }
    finally:
        for engine in engines.values():
            engine.close()
    right = reference.argmax(axis=1) == table.truth
    report = CheckReport(
        verdict=overall([found.verdict for found in reports.values()]),
        margin=margin,
        n=len(table.truth),
        data=table.images.source,
        data_sha256=set_sha256(table.images),
        reference=ReferenceReport(
            file, float(right.mean()), expected_calibration_error(reference, table.truth), sha256
        ),
        artifacts=reports,
        skipped=skipped,
    )
    return Judgement(report, reference, scores)


def _check_shapes(engine: Engine, name: str, table: PixelTable, classes: int) -> None:
    taken, given = engine.input.shape[1:], engine.output.shape[-1]
    if taken != table.pixels.shape[1:] or given != classes:
        raise ModelFileError(
            f"An artifact must take and return what the full model does. Received: {name} with {list(taken)} -> "
            f"{given}, full model {list(table.pixels.shape[1:])} -> {classes}. Compare files of the same model."
        )


def _named(progress: Progress, step: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(step, done, total)
