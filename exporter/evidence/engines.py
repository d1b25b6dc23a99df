"""The same file on other kernels and thread counts: are the answers the same, and how fast is it?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from exporter.drift import agreement
from exporter.evidence.record import EngineReport
from exporter.evidence.variants import Variant

_FEWEST = 4


def engine_reports(
    variants: Sequence[Variant], pixels: UInt8Array, scores: Float32Array, seconds: float
) -> tuple[EngineReport, ...]:
    """Runs a file in every way, in turns, so that machine noise affects all alike.

    Args:
        variants: The ways to run it.
        pixels: uint8 ``[n, height, width, channels]``, at least one image.
        scores: Their scores from the engine that counts, float32 ``[n, classes]``.
        seconds: Time limit; the images left then are skipped.
    """
    runs = [variant.open() for variant in variants]
    for run in runs:
        run(np.asarray(pixels[0]))
    found = [np.empty_like(scores) for _ in runs]
    taken: list[list[float]] = [[] for _ in runs]
    done, end = 0, time.perf_counter() + seconds
    for index, image in enumerate(pixels):
        array = np.asarray(image)
        for run, table, times in zip(runs, found, taken, strict=True):
            start = time.perf_counter()
            table[index] = run(array)
            times.append(1000.0 * (time.perf_counter() - start))
        done = index + 1
        if done >= _FEWEST and time.perf_counter() > end:
            break
    return tuple(
        EngineReport(
            engine=variant.engine,
            threads=variant.threads,
            n=done,
            agreement=agreement(scores[:done], table[:done]),
            max_abs_dp=float(np.max(np.abs(np.nan_to_num(table[:done]) - scores[:done]))),
            latency_ms=statistics.median(times),
        )
        for variant, table, times in zip(variants, found, taken, strict=True)
    )
