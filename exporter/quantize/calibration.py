"""Quality of a calibration: what it clips, and whether more images would change the result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import UsageError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.formats.half_precision import FLOAT32_MAX, Magnitude
from exporter.quantize.graph import QuantGraph, calibrated_ranges
from exporter.source.scoring import file_scores
from exporter.statistics.drift import agreement, floored_kl

HELD_OUT = 50
"""Maximum number of images for counting clipping; each takes about as long as a calibration image."""

WORST_TENSORS = 3
"""Number of tensors that are named."""


def check_images(pixels: UInt8Array, shape: tuple[int, ...]) -> UInt8Array:
    """Returns the images if they fit the model.

    Args:
        pixels: uint8 ``[n, height, width, channels]``.
        shape: Input shape of the model, ``(height, width, channels)``.

    Raises:
        UsageError: There are none, or their size or type is wrong.
    """
    if not len(pixels):
        raise UsageError(
            "int8 artifacts need calibration images. Received: none. Pass --calibration-data with real images."
        )
    if pixels.shape[1:] != shape or pixels.dtype != "uint8":
        raise UsageError(
            f"Calibration images must be uint8 {['n', *shape]}, the model's input. "
            f"Received: {pixels.dtype} {list(pixels.shape)}. Preprocess them with the model's input spec."
        )
    return pixels


class ClippedTensor(Strict, frozen=True):
    """A tensor, and the share of its values outside its calibrated range, 0..1."""

    name: str
    share: float


class CalibrationSize(Strict, frozen=True):
    """The result with a number of calibration images.

    Attributes:
        images: Number of calibration images.
        agreement: Share of images on which the int8 file has the full model's top-1, 0..1.
        kl: Mean floored KL divergence from the full model, in nats.
    """

    images: int
    agreement: float
    kl: float


class CalibrationReport(Strict, frozen=True):
    """How an int8 artifact was calibrated.

    Attributes:
        images: Number of images the ranges are based on.
        per_class: Number of these images per class, by label.
        held_out: Number of other images used to count clipping.
        clipped: Share of all their activations outside the ranges, 0..1; None without held-out images.
        worst: The most clipped tensors, worst first; empty if nothing is clipped.
        sizes: The result with a quarter, half and all of the images; empty if not measured.
        largest: The largest activation of the float model on the calibration images.
    """

    images: int
    per_class: dict[str, int]
    held_out: int = 0
    clipped: float | None = None
    worst: tuple[ClippedTensor, ...] = ()
    sizes: tuple[CalibrationSize, ...] = ()
    largest: Magnitude | None = None

    @property
    def spread(self) -> float:
        """Largest difference in agreement between the numbers of images, 0..1."""
        found = [size.agreement for size in self.sizes]
        return max(found) - min(found) if found else 0.0


def clipping(graph: QuantGraph, pixels: UInt8Array) -> tuple[float, tuple[ClippedTensor, ...]]:
    """Counts activations of the float model that lie half a step or more outside the calibrated ranges.

    Args:
        graph: A calibrated graph.
        pixels: Images that did not calibrate, uint8 ``[n, height, width, channels]``.

    Returns:
        The share over all tensors, and the most clipped ones.

    Raises:
        UsageError: The graph is not calibrated.
    """
    ranges = calibrated_ranges(graph)
    outside: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for tensors in graph.tensors(pixels):
        for name, values in tensors.items():
            if name not in ranges:
                continue
            low, high = ranges[name]
            # Values that still round to the last step are not clipped.
            half = (high - low) / 255.0 / 2.0
            cut = int(np.count_nonzero(values < low - half) + np.count_nonzero(values > high + half))
            outside[name] = outside.get(name, 0) + cut
            sizes[name] = sizes.get(name, 0) + values.size
    shares = sorted(((outside[name] / sizes[name], name) for name in sizes if outside[name]), reverse=True)
    worst = tuple(ClippedTensor(name, share) for share, name in shares[:WORST_TENSORS])
    return sum(outside.values()) / max(1, sum(sizes.values())), worst


def by_size(
    graph: QuantGraph, calibration: int, pixels: UInt8Array, reference: Float32Array
) -> tuple[CalibrationSize, ...]:
    """Quantizes with a quarter, half and all of the calibration images, and compares.

    Nothing is calibrated again; takes about as long as scoring the images three times in int8.

    Args:
        graph: A calibrated graph; the images in a balanced order.
        calibration: Number of calibration images.
        pixels: Judging images of the calibration side.
        reference: The full model's scores of them, float32 ``[n, classes]``.
    """
    found = []
    for count, one in sorted({**graph.fewer, calibration: graph}.items()):
        scores = file_scores(one.quantized(), graph.format, pixels, reference.shape[1])
        found.append(CalibrationSize(count, agreement(reference, scores), floored_kl(reference, scores)))
    return tuple(found)


def calibration_report(
    graph: QuantGraph,
    calibration: UInt8Array,
    truth: IntArray,
    labels: Sequence[str],
    *,
    held_out: UInt8Array | None = None,
    judging: tuple[UInt8Array, Float32Array] | None = None,
    progress: Progress = no_progress,
) -> CalibrationReport:
    """Reports on a calibration.

    Args:
        graph: The graph, calibrated with these images.
        calibration: The calibration images in a balanced order, uint8.
        truth: Their class indices, int64 ``[n]``.
        labels: Class names.
        held_out: Images that were not used for calibration; clipping is counted on up to
            :data:`HELD_OUT` of them, evenly spread, at about the cost of calibrating with as many.
        judging: Calibration-side images and the full model's scores of them, to measure the dependence
            on the number of images; see :func:`by_size` for its cost.
        progress: Progress callback.
    """
    clipped, worst, counted = None, (), 0  # type: tuple[float | None, tuple[ClippedTensor, ...], int]
    if held_out is not None and len(held_out):
        progress("counting clipped activations", 0, 0)
        some = held_out[np.linspace(0, len(held_out) - 1, min(HELD_OUT, len(held_out))).astype(np.int64)]
        counted = len(some)
        clipped, worst = clipping(graph, some)
    sizes: tuple[CalibrationSize, ...] = ()
    if judging is not None:
        progress("trying fewer calibration images", 0, 0)
        sizes = by_size(graph, len(calibration), *judging)
    per_class = dict(zip(labels, np.bincount(truth, minlength=len(labels)).tolist(), strict=True))
    largest = largest_activation(graph, len(calibration))
    return CalibrationReport(len(calibration), per_class, counted, clipped, worst, sizes, largest)


def largest_activation(graph: QuantGraph, images: int) -> Magnitude | None:
    """The largest activation within the calibrated ranges; None without any.

    Args:
        graph: A graph, calibrated or not.
        images: Number of calibration images.
    """
    if not graph.ranges:
        return None
    ends = {name: max(abs(low), abs(high)) for name, (low, high) in graph.ranges.items()}
    name = max(ends, key=ends.__getitem__)
    return Magnitude(name.split(";")[0], min(ends[name], FLOAT32_MAX), images)
