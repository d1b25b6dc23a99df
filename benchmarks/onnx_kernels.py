"""One model's int8 .onnx files on two kinds of CPU: this one, and this one without VNNI.

The shipped file beside its two alternatives: weights as uint8, and the full range of int8, which saturates.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.onnx_worker import DEFAULT, EXACT
from benchmarks.other_cpu import UnavailableError, without_vnni
from benchmarks.result import Cell, Column, Figure
from exporter.quantize.onnx_saturation import LARGEST_SUM, ZERO_POINT
from exporter.statistics.comparison import compare

FLOAT, SHIPS, UNSIGNED, FULL = "fp32", "int8", "int8-unsigned", "int8-full-range"
HERE, WITHOUT = "this CPU", "without VNNI"
NAMES = {SHIPS: "as it ships", UNSIGNED: "weights as uint8", FULL: "all of int8's range"}

AGREEMENT = 0.975
"""Least agreement with the fp32 file of what ships, on a CPU without VNNI."""

DELTA = -0.5
"""Least change of its top-1 there, in points."""

LATENCY = 0.85
"""Most that an inference may take there, by the fp32 file's."""

METHOD = f"""The int8 .onnx files of *int8 and repair* on the same images, run by ONNX Runtime's CPU provider with its
default options, and again with exact kernels (`session.x64quantprecision=1`). *As it ships*: no two neighbouring
weights of one sign add up to more than {LARGEST_SUM} steps, so that sums of two products fit 16 bits. *Weights as
uint8*: the repair step *unsigned weights*. *All of int8's range*: what ONNX Runtime's quantizer writes by default;
neither of the last two is repaired. *Without VNNI*: the same CPU with AVX-512, VNNI and AMX hidden from the process
(`benchmarks/cpu/without_vnni.c`). Agreement and top-1 are relative to the fp32 file in the same process; latency is
the ratio of CPU times, one thread, the files alternating."""

COLUMNS = (
    Column("model"), Column("CPU"), Column("int8 file"), Column("kernels"), Column("top-1 delta", "points"),
    Column("agreement", "percent"), Column("largest change of a score", "ratio"), Column("latency", "ratio"),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """The files of one part in one kind of process.

    Attributes:
        scores: By file and kernels, float32 ``[n, classes]``.
        seconds: Processor time of one inference, by file and kernels.
    """

    scores: dict[tuple[str, str], Any]
    seconds: dict[tuple[str, str], float]


def run_everywhere(files: dict[str, bytes], pixels: Any) -> dict[str, Run]:
    """Scores and times files on this CPU, and on one without VNNI where it can be had.

    Args:
        files: .onnx files by :data:`FLOAT`, :data:`SHIPS`, :data:`UNSIGNED` and :data:`FULL`.
        pixels: uint8 ``[n, height, width, channels]``.

    Returns:
        By :data:`HERE` and :data:`WITHOUT`; the second is missing where it is unavailable.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, data in files.items():
            (folder / f"{name}.onnx").write_bytes(data)
        np.save(folder / "pixels.npy", pixels)
        found = {HERE: _run(folder, dict(os.environ))}
        try:
            environment = without_vnni(folder)
        except UnavailableError as reason:
            print(f"no figures without VNNI: {reason}", file=sys.stderr)
            return found
        found[WITHOUT] = _run(folder, environment)
    return found


def full_range(unsigned: bytes) -> bytes:
    """The same weights as signed ones: what a quantizer writes that knows nothing of saturation.

    Args:
        unsigned: A file of :meth:`exporter.quantize.OnnxGraph.widened`.
    """
    import onnx

    model = onnx.load_model_from_string(unsigned)
    known = {entry.name: entry for entry in model.graph.initializer}
    shifted: set[str] = set()
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in known:
            continue
        # Depthwise weights are signed as they are.
        if known[node.input[0]].data_type != onnx.TensorProto.UINT8:
            continue
        for name in {node.input[0], node.input[2]} - shifted:
            values = onnx.numpy_helper.to_array(known[name]).astype(np.int16) - ZERO_POINT
            known[name].CopyFrom(onnx.numpy_helper.from_array(values.astype(np.int8), name))
            shifted.add(name)
    data: bytes = model.SerializeToString()
    return data


def kernel_rows(
    title: str, parts: Sequence[dict[str, Run]], truths: Sequence[Any], labels: tuple[str, ...], margin: float
) -> tuple[list[tuple[Cell, ...]], list[Figure]]:
    """The table of one model.

    Args:
        title: The model.
        parts: What :func:`run_everywhere` found, of each part.
        truths: True class indices of each part.
        labels: Class names.
        margin: That of the gate.
    """
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    truth = np.concatenate(list(truths))
    for cpu in parts[0]:
        runs = [part[cpu] for part in parts]
        scores, seconds = defaultdict(list), defaultdict(list)
        for run in runs:
            for way, found in run.scores.items():
                scores[way].append(found)
                seconds[way].append(run.seconds[way] / run.seconds[FLOAT, DEFAULT])
        reference = np.concatenate(scores[FLOAT, DEFAULT])
        for file, name in NAMES.items():
            for kernels in (DEFAULT, EXACT):
                result = compare(
                    reference, np.concatenate(scores[file, kernels]), truth, labels, margin=margin
                )
                latency = float(np.mean(seconds[file, kernels]))
                rows.append((
                    title, cpu, name, kernels, 100.0 * result.delta, result.agreement,
                    result.max_abs_dp, latency,
                ))  # fmt: skip
                if cpu == WITHOUT and file == SHIPS and kernels == DEFAULT:
                    about = f"{title}, {WITHOUT}"
                    figures = [
                        Figure(f"{about}: top-1 delta in points", 100.0 * result.delta, least=DELTA),
                        Figure(f"{about}: agreement", result.agreement, least=AGREEMENT),
                        Figure(f"{about}: latency by fp32's", latency, most=LATENCY),
                    ]
    return rows, figures


def _run(folder: Path, environment: dict[str, str]) -> Run:
    subprocess.run([sys.executable, "-m", "benchmarks.onnx_worker", str(folder)], env=environment, check=True)
    seconds = json.loads((folder / "latencies.json").read_text("utf-8"))
    ways = {way: tuple(way.rsplit(".", 1)) for way in seconds}
    return Run(
        scores={
            (file, kernels): np.load(folder / f"{way}.scores.npy") for way, (file, kernels) in ways.items()
        },
        seconds={(file, kernels): seconds[way] for way, (file, kernels) in ways.items()},
    )
