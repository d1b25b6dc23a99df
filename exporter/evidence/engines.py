"""The same file without optimised kernels, and with more threads: equal answers, and how fast?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.cores import cores
from edge_runtime.common.native_output import quiet
from edge_runtime.engines import open_engine
from edge_runtime.engines.litert import new_interpreter
from edge_runtime.engines.onnx import OnnxEngine, new_session
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.evidence.record import EngineReport
from exporter.statistics.drift import agreement

THREADS = (1, 2, 4)
"""Thread counts to compare, up to one more than the machine has cores."""

_FEWEST = 4

Run = Callable[[UInt8Array], Float32Array]
"""Scores one image: uint8 ``[height, width, channels]`` to float32 ``[classes]``."""


@dataclass(frozen=True)
class Variant:
    """One way to run a file.

    Attributes:
        engine: The interpreter and its kernels, in words.
        threads: Threads of one inference.
        plain: Whether its kernels are the unoptimised ones.
        open: Loads the file; each call makes another interpreter.
    """

    engine: str
    threads: int
    plain: bool
    open: Callable[[], Run]


def engine_reports(
    variants: Sequence[Variant], pixels: UInt8Array, scores: Float32Array, seconds: float
) -> tuple[EngineReport, ...]:
    """Runs a file in all variants, alternating, so that noise affects all of them equally.

    Args:
        variants: The ways to run it.
        pixels: uint8 ``[n, height, width, channels]``, at least one image.
        scores: Scores of the judging engine, float32 ``[n, classes]``.
        seconds: Time limit; later images are skipped.
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


def thread_counts() -> tuple[int, ...]:
    """The counts of :data:`THREADS` that can make a difference on this machine."""
    return tuple(count for count in THREADS if count <= cores() + 1)


def variants(
    model: Path | bytes, format: Format, name: str, *, quantized: bool = False
) -> tuple[Variant, ...]:
    """Lists the ways to run a file of ours; nothing is loaded.

    Args:
        model: Path or bytes.
        format: ``tflite`` or ``onnx``.
        name: The file's name, for messages.
        quantized: Whether it runs on integer kernels, of which ONNX Runtime has two kinds.
    """
    fast, plain, slow = {
        "tflite": ("litert", "litert, no XNNPACK", _plain_litert),
        "onnx": ("onnxruntime", "onnxruntime, graph as written", _plain_onnx),
    }[format]

    def usual(threads: int) -> Callable[[], Run]:
        return lambda: open_engine(model, format, name, threads=threads).run

    rows = [Variant(fast, threads, False, usual(threads)) for threads in thread_counts()]
    if format == "onnx" and quantized:
        rows.append(
            Variant(f"{fast}, exact kernels", 1, False, lambda: OnnxEngine(model, name, 1, exact=True).run)
        )
    return (
        *rows,
        *(Variant(plain, threads, True, partial(slow, model, threads)) for threads in thread_counts()),
    )


def _plain_litert(model: Path | bytes, threads: int) -> Run:
    """LiteRT's own kernels: what runs where its XNNPACK delegate is not built in or refuses."""
    with quiet():
        interpreter = new_interpreter(model, threads, plain_kernels=True)
        interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(pixels: UInt8Array) -> Float32Array:
        interpreter.set_tensor(taken["index"], pixels[np.newaxis].astype(taken["dtype"]))
        interpreter.invoke()
        scores: Float32Array = interpreter.get_tensor(given["index"])[0]
        return scores

    return run


def _plain_onnx(model: Path | bytes, threads: int) -> Run:
    """ONNX Runtime on the graph as the file has it: no fusion, each Q and DQ step done."""
    session = new_session(model, threads, as_written=True)
    taken = session.get_inputs()[0]
    dtype = np.uint8 if taken.type == "tensor(uint8)" else np.float32

    def run(pixels: UInt8Array) -> Float32Array:
        scores: Float32Array = session.run(None, {taken.name: pixels[np.newaxis].astype(dtype)})[0][0]
        return scores

    return run
