"""Layer-by-layer errors of a quantized file against its float file.

Both run on the same images and keep every tensor; tensors are matched by name. The error of
a tensor is accumulated from the input on, so that the first layer of a jump is the culprit.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

from edge_runtime.manifest import Format
from edge_runtime.preprocess import UInt8Array
from exporter.evidence.record import LayerReport, LayersReport
from exporter.evidence.tensor_pair import FloatArray, PairedFiles, TensorPair

MOST_IN_RECORD = 30
"""Tensors kept in check.json; the report plots all."""

_FEWEST = 4

NO_ERROR_DB = 200.0
"""The value of a tensor without any error: JSON has no infinity."""


class ErrorSums:
    """Adds up one tensor's errors over images."""

    def __init__(self) -> None:
        self._signal = self._noise = 0.0
        self._count = 0
        self._low, self._high = math.inf, -math.inf

    def add(self, true: FloatArray, found: FloatArray) -> None:
        """Adds one image's values.

        Args:
            true: The float file's.
            found: The quantized file's, dequantized, of the same shape.
        """
        wide = true.astype(np.float64)
        self._signal += float(np.sum(wide**2))
        self._noise += float(np.sum((wide - found.astype(np.float64)) ** 2))
        self._count += true.size
        self._low, self._high = min(self._low, float(true.min())), max(self._high, float(true.max()))

    def report(self, pair: TensorPair) -> LayerReport:
        """The tensor's row.

        Args:
            pair: The tensor.
        """
        rmse = math.sqrt(self._noise / max(1, self._count))
        ratio = max(self._signal, 1e-30) / max(self._noise, 1e-60)
        return LayerReport(
            name=pair.name,
            op=pair.op,
            sqnr_db=min(10.0 * math.log10(ratio), NO_ERROR_DB),
            rmse=rmse,
            steps=None if pair.scale is None else rmse / pair.scale,
            range=self._high - self._low,
        )


def open_pair(format: Format, float_file: Path | bytes, quantized: Path | bytes) -> PairedFiles | None:
    """Opens two files of one format.

    Args:
        format: ``tflite`` or ``onnx``.
        float_file: Path or bytes.
        quantized: Path or bytes.

    Returns:
        None if the file has no quantized activations, or the format cannot be inspected.
    """
    found: PairedFiles
    if format == "tflite":
        from exporter.evidence.layers_tflite import TflitePair

        found = TflitePair(float_file, quantized)
    elif format == "onnx":
        from exporter.evidence.layers_onnx import OnnxPair

        found = OnnxPair(float_file, quantized)
    else:
        return None
    return found if any(pair.scale is not None for pair in found.pairs) else None


def layer_reports(
    files: PairedFiles, pixels: UInt8Array, seconds: float = math.inf
) -> tuple[tuple[LayerReport, ...], int]:
    """Measures every tensor, in execution order.

    Args:
        files: The two files.
        pixels: uint8 ``[n, height, width, channels]``.
        seconds: Time limit; the images left then are skipped, except the first few.

    Returns:
        The tensors, and the number of images run.
    """
    done, end = 0, time.perf_counter() + seconds
    sums = [ErrorSums() for _ in files.pairs]
    for image in pixels:
        for one, (true, found) in zip(sums, files.run(np.asarray(image)), strict=True):
            one.add(true, found)
        done += 1
        if done >= _FEWEST and time.perf_counter() > end:
            break
    return tuple(one.report(pair) for one, pair in zip(sums, files.pairs, strict=True)), done


def worst_first(rows: tuple[LayerReport, ...], float_file: str, n: int) -> LayersReport:
    """The rows kept in the record, the worst first.

    Args:
        rows: All tensors.
        float_file: The artifact compared with.
        n: Number of images.
    """
    ranked = sorted(rows, key=lambda row: row.sqnr_db)[:MOST_IN_RECORD]
    return LayersReport(float_file=float_file, n=n, tensors=len(rows), worst=tuple(ranked))
