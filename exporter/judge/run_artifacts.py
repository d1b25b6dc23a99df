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
from exporter.source.scoring import HERE, Scoring, latencies_ms, share_passed_on
from exporter.statistics.row_blocks import finite_rows


@dataclass(frozen=True)
class Ran:
    """Artifacts that ran, with their engines still open.

    Attributes:
        judged: Those that ran.
        engines: The engine of each, by name.
        scores: float32 ``[n, classes]`` of each.
        latency_ms: Typical time of one inference of each.
        passed_on: Share of the images that each passed on, 0..1; None for all but cascades.
        skipped: Why the others cannot run here.
    """

    judged: list[Candidate]
    engines: Mapping[str, Engine]
    scores: Mapping[str, Float32Array]
    latency_ms: Mapping[str, float]
    passed_on: Mapping[str, float | None]
    skipped: Mapping[str, str]


@contextmanager
def running(
    candidates: list[Candidate],
    table: PixelTable,
    classes: int,
    *,
    threads: int,
    progress: Progress,
    scoring: Scoring = HERE,
) -> Iterator[Ran]:
    """Scores images with every artifact that an engine here can run, and closes the engines at the end.

    Args:
        candidates: The artifacts.
        table: The images.
        classes: Length of the full model's score vector.
        threads: Threads per inference.
        progress: Progress callback.
        scoring: Who scores; latencies are measured here in any case.

    Raises:
        EnvironmentMissingError: No installed engine can run any of them.
        ModelFileError: An artifact does not load, takes other images, has other classes or returns NaN or infinity.
    """
    judged = [one for one in candidates if not one.unusable]
    with open_engines(judged, threads, table.pixels.shape[1:], classes) as engines:
        scores = {}
        for one in judged:
            scorer = scoring.artifact(one, engines[one.name], classes, threads=threads)
            scores[one.name] = scorer(table.pixels, progress, f"checking {one.name}")
            check_numbers(scores[one.name], "an artifact", one.name, table)
        passed_on = {name: share_passed_on(engine) for name, engine in engines.items()}
        # Alone: the engines that helped are closed.
        latency = latencies_ms(engines, table.pixels)
        yield Ran(judged, engines, scores, latency, passed_on, skipped_artifacts(candidates, table))


@contextmanager
def open_engines(
    candidates: list[Candidate], threads: int, shape: tuple[int, ...], classes: int
) -> Iterator[dict[str, Engine]]:
    """Opens the engine of each artifact, and closes all of them at the end.

    Args:
        candidates: Artifacts that run here.
        threads: Threads per inference.
        shape: Height, width and channels of the full model's images.
        classes: Length of its score vector.

    Raises:
        EnvironmentMissingError: There are none.
        ModelFileError: One does not load, takes other images or has other classes.
    """
    engines: dict[str, Engine] = {}
    try:
        for candidate in candidates:
            with quiet():
                engine = candidate.open(threads)
            engines[candidate.name] = engine
            _check_shapes(engine, candidate.name, shape, classes)
        if not engines:
            raise EnvironmentMissingError.of_extra("Running the artifacts", "onnxruntime", "export")
        yield engines
    finally:
        for engine in engines.values():
            engine.close()


def _check_shapes(engine: Engine, name: str, shape: tuple[int, ...], classes: int) -> None:
    taken, given = engine.input.shape[1:], engine.output.shape[-1]
    if taken != shape or given != classes:
        raise ModelFileError(
            f"An artifact must have the shapes of the full model. Received: {name} with {list(taken)} -> "
            f"{given}, full model {list(shape)} -> {classes}. Compare files of the same model."
        )


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
    rows = np.flatnonzero(~finite_rows(scores))
    if len(rows):
        raise ModelFileError(
            f"The scores of {whose} must be numbers. Received: NaN or infinity from {name} on {len(rows)} of "
            f"{len(scores)} images of {table.images.source}, the first is {table.images.items[rows[0]].ref}. "
            "Train or export it again."
        )


def skipped_artifacts(candidates: list[Candidate], table: PixelTable) -> dict[str, str]:
    """The artifacts that no engine of this machine runs, with the reason.

    Args:
        candidates: All artifacts.
        table: The images, for what can be said without an engine.
    """
    judged = [one for one in candidates if not one.unusable]
    return {one.name: one.unusable + _unseen_half(one, judged, table) for one in candidates if one.unusable}


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
