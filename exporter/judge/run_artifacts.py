"""Runs artifacts on images, whatever they are judged by: their scores, latencies, and the limits of half precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, SnapshipError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress
from edge_runtime.engines import Engine
from edge_runtime.engines.result import Float32Array
from exporter.formats.half_precision import Magnitude, half_magnitude
from exporter.formats.kinds import KINDS
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable
from exporter.source.scoring import engine_scorer, latencies_ms


@dataclass(frozen=True)
class Ran:
    """Artifacts that ran, with their engines still open.

    Attributes:
        judged: Those that ran.
        engines: The engine of each, by name.
        scores: float32 ``[n, classes]`` of each.
        latency_ms: Median of one inference of each.
        skipped: Why the others cannot run here.
    """

    judged: list[Candidate]
    engines: Mapping[str, Engine]
    scores: Mapping[str, Float32Array]
    latency_ms: Mapping[str, float]
    skipped: Mapping[str, str]


@contextmanager
def running(
    candidates: list[Candidate], table: PixelTable, classes: int, *, threads: int, progress: Progress
) -> Iterator[Ran]:
    """Scores images with every artifact that an engine here can run, and closes the engines at the end.

    Args:
        candidates: The artifacts.
        table: The images.
        classes: Length of the full model's score vector.
        threads: Threads per inference.
        progress: Progress callback.

    Raises:
        EnvironmentMissingError: No installed engine can run any of them.
        ModelFileError: An artifact does not load, takes other images, has other classes or returns NaN or infinity.
    """
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
        for other in candidates:
            if other.name in skipped:
                skipped[other.name] += _unseen_half(other, judged, table)
        yield Ran(judged, engines, scores, latency, skipped)
    finally:
        for engine in engines.values():
            engine.close()


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


def measured_half(candidate: Candidate, table: PixelTable) -> tuple[Magnitude | None, tuple[str, ...]]:
    """The largest magnitude of a float16 file; or the reason why it could not be measured.

    Args:
        candidate: The artifact.
        table: The images.
    """
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
