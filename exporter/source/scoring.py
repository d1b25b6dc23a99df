"""Scores many images: with the full model in batches, or with an artifact on its device engine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines import Engine, open_engine
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.backend import load_tensorflow
from exporter.source.full_model import FullModel

_BATCH = 32
_LATENCY_ROUNDS = 40
_LATENCY_SECONDS = 3.0
_WARM_UP = 3


class Scorer(Protocol):
    """A function that scores images."""

    def __call__(
        self, pixels: UInt8Array, progress: Progress = no_progress, step: str = "scoring"
    ) -> Float32Array:
        """Scores images.

        Args:
            pixels: uint8 ``[n, height, width, channels]``.
            progress: Progress callback.
            step: Name of the step, for the callback.

        Returns:
            float32 ``[n, classes]``.
        """
        ...


def full_scorer(model: FullModel) -> Scorer:
    """The full model, in batches.

    Args:
        model: The full model.
    """
    tensorflow = load_tensorflow()
    signature = tensorflow.TensorSpec((None, *model.input.shape), tensorflow.float32)
    call = tensorflow.function(model.call, input_signature=[signature], autograph=False)

    def score(pixels: UInt8Array, progress: Progress = no_progress, step: str = "scoring") -> Float32Array:
        scores = np.empty((len(pixels), model.classes), dtype=np.float32)
        for start in range(0, len(pixels), _BATCH):
            batch = pixels[start : start + _BATCH].astype(np.float32)
            # The first call traces, and native code prints meanwhile.
            with quiet() if start == 0 else nullcontext():
                scores[start : start + len(batch)] = call(tensorflow.constant(batch)).numpy()
            progress(step, start + len(batch), len(pixels))
        return scores

    return score


def engine_scorer(engine: Engine, classes: int) -> Scorer:
    """An artifact on its device engine, one image at a time.

    Args:
        engine: A loaded artifact.
        classes: Length of its score vector.
    """

    def score(pixels: UInt8Array, progress: Progress = no_progress, step: str = "scoring") -> Float32Array:
        scores = np.empty((len(pixels), classes), dtype=np.float32)
        for index, image in enumerate(pixels):
            scores[index] = engine.run(np.asarray(image))
            progress(step, index + 1, len(pixels))
        return scores

    return score


def file_scores(
    data: bytes,
    format: Format,
    pixels: UInt8Array,
    classes: int,
    *,
    threads: int = 1,
    progress: Progress = no_progress,
    step: str = "scoring",
) -> Float32Array:
    """Scores images with a model file in memory.

    Args:
        data: The file.
        format: ``tflite`` or ``onnx``.
        pixels: uint8 ``[n, height, width, channels]``.
        classes: Length of its score vector.
        threads: Threads per inference.
        progress: Progress callback.
        step: Name of the step, for the callback.

    Returns:
        float32 ``[n, classes]``.

    Raises:
        ModelFileError: The engine refuses it.
    """
    with quiet():
        engine = open_engine(data, format, f"a {format} file in memory", threads=threads)
    try:
        return engine_scorer(engine, classes)(pixels, progress, step)
    finally:
        engine.close()


@dataclass(frozen=True)
class Mixture:
    """Images of a cascade, of which a share takes longer.

    Attributes:
        share: Share of the images that is passed on, 0..1.
        kept: An image that is not, uint8 ``[height, width, channels]``.
        passed: An image that is.
    """

    share: float
    kept: UInt8Array
    passed: UInt8Array


def mixture_of(engine: CascadeEngine, pixels: UInt8Array) -> Mixture:
    """What share of the images a cascade passed on, with an image of either kind.

    Args:
        engine: The cascade, after it scored the images.
        pixels: The images, uint8 ``[n, height, width, channels]``.
    """
    share = engine.passed_on / engine.seen
    found: dict[bool, UInt8Array] = {}
    for image in pixels if 0.0 < share < 1.0 else pixels[:1]:
        before = engine.passed_on
        engine.run(np.asarray(image))
        found.setdefault(engine.passed_on > before, np.asarray(image))
        if len(found) == 2:
            break
    only = next(iter(found.values()))
    return Mixture(share, found.get(False, only), found.get(True, only))


def latencies_ms(
    engines: Mapping[str, Engine], image: UInt8Array, mixtures: Mapping[str, Mixture] | None = None
) -> dict[str, float]:
    """Typical time of one inference, in milliseconds, measured alternately so that noise affects all equally.

    Args:
        engines: Loaded artifacts by kind.
        image: uint8 ``[height, width, channels]``.
        mixtures: The images of cascades, by kind.

    Returns:
        By kind, the median; of a cascade the mean over its images, as the medians of both kinds of images,
        weighted: the median of all would not see the second model.
    """
    mixed = mixtures or {}
    cases = [
        (kind, seen)
        for kind in engines
        for seen in ((mixed[kind].kept, mixed[kind].passed) if kind in mixed else (image,))
    ]
    taken: list[list[float]] = [[] for _ in cases]
    for kind, seen in cases:
        for _ in range(_WARM_UP):
            engines[kind].run(seen)
    end = time.perf_counter() + _LATENCY_SECONDS * max(1, len(cases))
    for _ in range(_LATENCY_ROUNDS):
        for times, (kind, seen) in zip(taken, cases, strict=True):
            start = time.perf_counter()
            engines[kind].run(seen)
            times.append(1000.0 * (time.perf_counter() - start))
        if time.perf_counter() > end:
            break
    medians: dict[str, list[float]] = {}
    for times, (kind, _) in zip(taken, cases, strict=True):
        medians.setdefault(kind, []).append(statistics.median(times))
    return {
        kind: found[0] if kind not in mixed else found[0] + mixed[kind].share * (found[1] - found[0])
        for kind, found in medians.items()
    }
