"""Other ways to run a file: without the optimised kernels, and on more threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.engines import open_engine
from edge_runtime.engines.onnx import OnnxEngine
from edge_runtime.engines.onnx_import import load_onnxruntime
from edge_runtime.manifest import Format
from edge_runtime.native_output import quiet
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array

THREADS = (1, 2, 4)
"""Thread counts that are compared, up to one more than the machine has cores."""

_FATAL_ONLY = 4

Run = Callable[[UInt8Array], Float32Array]
"""Scores one image: uint8 ``[height, width, channels]`` to float32 ``[classes]``."""


@dataclass(frozen=True)
class Variant:
    """One way to run a file.

    Attributes:
        engine: The interpreter and its kernels, in words.
        threads: Threads of one inference.
        plain: Whether these are the kernels without optimisation.
        open: Loads the file; call it again for a second interpreter.
    """

    engine: str
    threads: int
    plain: bool
    open: Callable[[], Run]


def thread_counts() -> tuple[int, ...]:
    """The counts of :data:`THREADS` that this machine can show a difference for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return tuple(count for count in THREADS if count <= cores + 1)


def variants(
    model: Path | bytes, format: Format, name: str, *, quantized: bool = False
) -> tuple[Variant, ...]:
    """Lists the ways to run a file of ours; nothing is loaded.

    Args:
        model: Path or bytes.
        format: ``tflite`` or ``onnx``.
        name: The file's name, for messages.
        quantized: Whether integer kernels run it: those of ONNX Runtime come in two kinds.
    """
    fast, plain = {
        "tflite": ("litert", "litert, no XNNPACK"),
        "onnx": ("onnxruntime", "onnxruntime, graph as written"),
    }[format]

    def usual(threads: int) -> Callable[[], Run]:
        return lambda: open_engine(model, format, name, threads=threads).run

    def slow(threads: int) -> Callable[[], Run]:
        return lambda: (_plain_litert if format == "tflite" else _plain_onnx)(model, threads)

    rows = [Variant(fast, threads, False, usual(threads)) for threads in thread_counts()]
    if format == "onnx" and quantized:
        rows.append(
            Variant(f"{fast}, exact kernels", 1, False, lambda: OnnxEngine(model, name, 1, exact=True).run)
        )
    return (*rows, *(Variant(plain, threads, True, slow(threads)) for threads in thread_counts()))


def _plain_litert(model: Path | bytes, threads: int) -> Run:
    """LiteRT's own kernels: what runs where its XNNPACK delegate is not built in or refuses."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    with quiet():
        interpreter = Interpreter(
            **source,
            num_threads=threads,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
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
    onnxruntime = load_onnxruntime()
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = model if isinstance(model, bytes) else str(model)
    session: Any = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    dtype = np.uint8 if taken.type == "tensor(uint8)" else np.float32

    def run(pixels: UInt8Array) -> Float32Array:
        scores: Float32Array = session.run(None, {taken.name: pixels[np.newaxis].astype(dtype)})[0][0]
        return scores

    return run
