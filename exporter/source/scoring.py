"""Scores many images: with the full model in batches, or with an artifact on its device engine, on all cores."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.errors import ModelFileError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines import Engine, open_engine
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.backend import load_tensorflow
from exporter.source.candidate import Candidate
from exporter.source.engine_team import score_together, team_size
from exporter.source.full_model import FullModel, frozen_for_any_batch, small_enough_to_keep
from exporter.source.score_table import score_table

FULL_BATCH = 8
"""Images of the full model at a time. What the layers of 32 compute is larger than the caches of two cores:
MobileNetV2 at 224 takes 1.4 times the CPU time of batches of 8. The same everywhere, as sums depend on it."""

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


_scorers: WeakKeyDictionary[FullModel, Scorer] = WeakKeyDictionary()


def full_scorer(model: FullModel) -> Scorer:
    """The full model, in batches. One model has one scorer, so that it is traced once.

    Args:
        model: The full model.
    """
    if model not in _scorers:
        _scorers[model] = _full_scorer(model)
    return _scorers[model]


def _full_scorer(model: FullModel) -> Scorer:
    tensorflow = load_tensorflow()
    # Not the model itself: its scorer is kept as long as the model is.
    call, classes = _graph(model), model.classes

    def score(pixels: UInt8Array, progress: Progress = no_progress, step: str = "scoring") -> Float32Array:
        scores = score_table(len(pixels), classes)
        for start in range(0, len(pixels), FULL_BATCH):
            batch = pixels[start : start + FULL_BATCH].astype(np.float32)
            count = len(batch)
            # Filled up: for another batch size TensorFlow may add in another order, and not in every process alike.
            batch = np.pad(batch, ((0, FULL_BATCH - count), (0, 0), (0, 0), (0, 0)), mode="edge")
            # The first call plans the graph, and native code prints meanwhile.
            with quiet() if start == 0 else nullcontext():
                scores[start : start + count] = call(tensorflow.constant(batch))[:count]
            progress(step, start + count, len(pixels))
        return scores

    return score


def _graph(model: FullModel) -> Callable[[Any], Any]:
    """The model as a function of a tensor, float32 ``[batch, height, width, channels]``.

    With its weights as constants TensorFlow folds batch normalisation into the convolutions, a quarter of the
    time of MobileNetV2 on a CPU. They are copied, so large models keep their variables.
    """
    if small_enough_to_keep(model):
        with suppress(ModelFileError):
            frozen = frozen_for_any_batch(model)
            # Called as a function it would first look for named arguments, and describe the whole batch in an
            # error that it then drops: a millisecond each time.
            call_flat = getattr(frozen, "_call_with_flat_signature", None)
            if call_flat is not None:
                return lambda batch: call_flat([batch], {})[0].numpy()
            return lambda batch: frozen(batch)[0].numpy()
    tensorflow = load_tensorflow()
    signature = tensorflow.TensorSpec((None, *model.input.shape), tensorflow.float32)
    call = tensorflow.function(model.call, input_signature=[signature], autograph=False)
    return lambda batch: call(batch).numpy()


def engine_scorer(
    engine: Engine, classes: int, another: Callable[[], Engine] | None = None, size: int = 1
) -> Scorer:
    """An artifact on its device engine, each image by itself.

    Args:
        engine: A loaded artifact.
        classes: Length of its score vector.
        another: Opens one more engine of the same artifact, in another thread; None keeps to the one.
        size: Engines that score at once, at most: :func:`~exporter.source.engine_team.team_size`.
    """

    def score(pixels: UInt8Array, progress: Progress = no_progress, step: str = "scoring") -> Float32Array:
        scores = score_table(len(pixels), classes)
        score_together(
            engine, another or (lambda: engine), size if another else 1, pixels, scores,
            lambda done: progress(step, done, len(pixels)),
        )  # fmt: skip
        return scores

    return score


def output_scorer(engine: Engine, output: str) -> Scorer:
    """A further output of an artifact, each image by itself.

    Args:
        engine: The loaded artifact.
        output: The name of the output.

    Returns:
        A function of at least one image, to float32 ``[n, size]``.
    """

    def score(pixels: UInt8Array, progress: Progress = no_progress, step: str = "scoring") -> Float32Array:
        first = engine.run_with(np.asarray(pixels[0]), output)[1]
        found = score_table(len(pixels), len(first))
        found[0] = first
        progress(step, 1, len(pixels))
        for index in range(1, len(pixels)):
            found[index] = engine.run_with(np.asarray(pixels[index]), output)[1]
            progress(step, index + 1, len(pixels))
        return found

    return score


class Scoring(Protocol):
    """Who scores images with artifacts: the engines of this process, or workers."""

    def artifact(
        self, candidate: Candidate, engine: Engine, classes: int, *, threads: int, exact: bool = False
    ) -> Scorer:
        """The scorer of an artifact.

        Args:
            candidate: The artifact.
            engine: The artifact, loaded; a cascade's counts include, afterwards, all images.
            classes: Length of its score vector.
            threads: Threads of one inference.
            exact: Whether it runs on kernels that add all products in 32 bits.
        """
        ...

    def output(self, candidate: Candidate, engine: Engine, output: str) -> Scorer:
        """The scorer of a further output of an artifact.

        Args:
            candidate: The artifact.
            engine: The artifact, loaded.
            output: The name of the output.
        """
        ...


class _Here:
    """This process, see :class:`Scoring`."""

    def artifact(
        self, candidate: Candidate, engine: Engine, classes: int, *, threads: int, exact: bool = False
    ) -> Scorer:
        """See :class:`Scoring`."""
        another = partial(candidate.open, threads, exact=exact)
        return engine_scorer(engine, classes, another, candidate.team_size(threads))

    def output(self, candidate: Candidate, engine: Engine, output: str) -> Scorer:
        """See :class:`Scoring`."""
        return output_scorer(engine, output)


HERE: Scoring = _Here()
"""This process scores, on all of its cores."""


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
    another = partial(open_engine, data, format, f"a {format} file in memory", threads=threads)
    with quiet():
        engine = another()
    try:
        scorer = engine_scorer(engine, classes, another, team_size(len(data), threads))
        return scorer(pixels, progress, step)
    finally:
        engine.close()


def share_passed_on(engine: Engine) -> float | None:
    """Share of the images so far that a cascade passed on, 0..1; None for other engines.

    Args:
        engine: A loaded artifact that has scored images.
    """
    return engine.passed_on / engine.seen if isinstance(engine, CascadeEngine) and engine.seen else None


def latencies_ms(engines: Mapping[str, Engine], pixels: UInt8Array) -> dict[str, float]:
    """Typical time of one inference, in milliseconds, measured alternately so that noise affects all equally.

    Args:
        engines: Loaded artifacts by kind, after they scored the images.
        pixels: The images, uint8 ``[n, height, width, channels]``.

    Returns:
        By kind, the median; of a cascade the mean over its images, as the medians of both kinds of images,
        weighted: the median of all would not see the second model.
    """
    shares = {kind: share_passed_on(engine) for kind, engine in engines.items()}
    cases = [
        (kind, image)
        for kind, engine in engines.items()
        for image in (pixels[:1] if shares[kind] is None else _kept_and_passed(engine, pixels))
    ]
    taken: list[list[float]] = [[] for _ in cases]
    for kind, image in cases:
        for _ in range(_WARM_UP):
            engines[kind].run(image)
    end = time.perf_counter() + _LATENCY_SECONDS * max(1, len(cases))
    for _ in range(_LATENCY_ROUNDS):
        for times, (kind, image) in zip(taken, cases, strict=True):
            start = time.perf_counter()
            engines[kind].run(image)
            times.append(1000.0 * (time.perf_counter() - start))
        if time.perf_counter() > end:
            break
    medians: dict[str, list[float]] = {}
    for times, (kind, _) in zip(taken, cases, strict=True):
        medians.setdefault(kind, []).append(statistics.median(times))
    return {
        kind: found[0] + (shares[kind] or 0.0) * (found[-1] - found[0]) for kind, found in medians.items()
    }


def _kept_and_passed(engine: Engine, pixels: UInt8Array) -> tuple[UInt8Array, UInt8Array]:
    """An image that a cascade answers itself, and one that it passes on; twice the same if all are alike."""
    assert isinstance(engine, CascadeEngine)
    found: dict[bool, UInt8Array] = {}
    for image in pixels:
        before = engine.passed_on
        engine.run(image)
        found.setdefault(engine.passed_on > before, image)
        if len(found) == 2:
            break
    only = next(iter(found.values()))
    return found.get(False, only), found.get(True, only)
