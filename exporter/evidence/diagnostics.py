"""Runs the slow diagnostics, one artifact after another.

They never affect a verdict, so a failed measurement must not fail the check: it is recorded with the
reason. The attribution says where the disagreements of an artifact come from, from the full model's answer
to the device's, one step at a time::

    full model's pixels -> device's pixels   preprocessing   zero by contract
    full model -> float file                 conversion
    float file -> this file                  quantization
    this file -> the same on plain kernels   engine

Conversion and quantization add up to all disagreements: an image counts at the first step that changes
its answer. Engine and preprocessing are separate: they are differences between devices, not between
the full model and this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from edge_runtime.common.errors import SnapshipError, first_line
from edge_runtime.engines import Engine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array
from exporter.evidence.engines import Run, Variant, engine_reports, thread_counts, variants
from exporter.evidence.layers import layer_reports, open_pair, worst_first
from exporter.evidence.preprocessing import Preprocessed, device_paths, encoded, stock_path
from exporter.evidence.record import (
    AttributionReport,
    AttributionStep,
    DiagnosticOptions,
    EngineReport,
    LayerReport,
    LayersReport,
    StepName,
)
from exporter.source.candidate import Candidate, float_sibling
from exporter.source.images import PixelTable
from exporter.statistics.row_blocks import largest_changes

_SEED = 0
_T = TypeVar("_T")


@dataclass(frozen=True)
class Diagnostics:
    """The diagnostics of one artifact.

    Attributes:
        attribution: Where its disagreements come from.
        engines: The artifact with other kernels and thread counts.
        layers: Its worst tensors.
        tensors: All its tensors in execution order, for the plot.
        missing: Measurements that failed, with the reason.
    """

    attribution: AttributionReport | None
    engines: tuple[EngineReport, ...]
    layers: LayersReport | None
    tensors: tuple[LayerReport, ...]
    missing: tuple[str, ...]


class DiagnosticsRunner:
    """Runs the diagnostics selected by :class:`~exporter.evidence.record.DiagnosticOptions`."""

    def __init__(
        self,
        options: DiagnosticOptions,
        candidates: list[Candidate],
        reference: Float32Array,
        scores: Mapping[str, Float32Array],
        table: PixelTable,
        spec: InputSpec | None,
    ) -> None:
        """Prepares; nothing runs yet.

        Args:
            options: What to measure.
            candidates: The judged artifacts.
            reference: The full model's scores, float32 ``[n, classes]``.
            scores: The scores of each artifact, by name.
            table: The images.
            spec: The model's input; None skips preprocessing.
        """
        self._options, self._candidates, self._reference = options, candidates, reference
        self._scores, self._table, self._spec = scores, table, spec
        # A random order: data sets are sorted by class.
        self._order = np.random.default_rng(_SEED).permutation(len(table.truth))

    def run(self, candidate: Candidate, engine: Engine, *, integers: bool = False) -> Diagnostics:
        """Measures one artifact.

        Args:
            candidate: The artifact to measure.
            engine: The engine it was judged on.
            integers: Whether it runs on ONNX Runtime's u8 x s8 kernels.
        """
        options, missing = self._options, list[str]()
        found: tuple[EngineReport, ...] = ()
        if options.engines:
            found = self._tried(lambda: self._engines(candidate, integers), "engines", missing) or ()
        layers = None
        if options.layers:
            layers = self._tried(lambda: self._layers(candidate), "layers", missing)
        attribution = self._attribution(candidate, engine) if options.attribution else None
        record, tensors = layers or (None, ())
        return Diagnostics(attribution, found, record, tensors, tuple(missing))

    def _attribution(self, candidate: Candidate, engine: Engine) -> AttributionReport:
        float_file, is_float = float_sibling(candidate, self._candidates), candidate.exact
        known = None if float_file is None else self._scores.get(float_file.name)
        total, steps = model_steps(self._reference, known, self._scores[candidate.name], is_float=is_float)
        if not self._options.attribution_images:
            return AttributionReport(total, steps)
        missing: list[str] = []
        before = self._tried(lambda: self._preprocessing(candidate, engine), "preprocessing", missing)
        after = self._tried(lambda: self._plain_kernels(candidate), "engine", missing)
        stock = self._tried(lambda: self._stock(candidate, engine), "stock preprocessing", missing)
        steps = tuple(one for one in (before, *steps, after, stock) if one is not None)
        return AttributionReport(total, steps, tuple(missing))

    def _preprocessing(self, candidate: Candidate, engine: Engine) -> AttributionStep:
        if not self._device:
            raise SnapshipError(
                "the model's input is unknown"
                if self._spec is None
                else "the images are arrays, so nothing is decoded"
            )
        steps = [self._through(candidate, engine, path, "preprocessing") for path in self._device]
        return max(steps, key=lambda one: (one.changed, one.dp))

    def _through(
        self, candidate: Candidate, engine: Engine, path: Preprocessed, name: StepName
    ) -> AttributionStep:
        rows, pixels = list(path.rows), path.pixels
        known = self._scores[candidate.name][rows]
        same = np.array(
            [np.array_equal(self._table.pixels[row], seen) for row, seen in zip(rows, pixels, strict=True)]
        )
        changed = np.flatnonzero(~same)
        after = known.copy()
        done = run_for(engine.run, pixels[changed], self._options.seconds)
        if len(done):
            after[changed[: len(done)]] = done
        kept = np.sort(np.concatenate([np.flatnonzero(same), changed[: len(done)]]))
        note = f"{path.note}: {len(changed)} of {len(rows)} images get different pixels"
        return step(name, known[kept], after[kept], note)

    def _stock(self, candidate: Candidate, engine: Engine) -> AttributionStep | None:
        path = self._stock_pixels
        return None if path is None else self._through(candidate, engine, path, "stock preprocessing")

    def _plain_kernels(self, candidate: Candidate) -> AttributionStep | None:
        plain = [variant for variant in self._variants(candidate) if variant.plain and variant.threads == 1]
        if not plain:
            return None
        rows = self._order[: self._options.attribution_images]
        found = run_for(plain[0].open(), self._table.pixels[rows], self._options.seconds)
        return step(
            "engine",
            self._scores[candidate.name][rows[: len(found)]],
            found,
            f"this file -> {plain[0].engine}",
        )

    def _engines(self, candidate: Candidate, integers: bool) -> tuple[EngineReport, ...]:
        rows, ways = self._order[: self._options.engine_images], self._variants(candidate, integers)
        if not ways:
            return ()
        return engine_reports(
            ways,
            self._table.pixels[rows],
            self._scores[candidate.name][rows],
            self._options.seconds,
        )

    def _variants(self, candidate: Candidate, integers: bool = False) -> tuple[Variant, ...]:
        if candidate.opener is None:
            return variants(candidate.model, candidate.format, candidate.name, quantized=integers)
        if not candidate.threaded:
            return ()

        def opened(threads: int) -> Callable[[], Run]:
            return lambda: candidate.open(threads).run

        return tuple(Variant("as judged", count, False, opened(count)) for count in thread_counts())

    def _layers(self, candidate: Candidate) -> tuple[LayersReport, tuple[LayerReport, ...]] | None:
        sibling = float_sibling(candidate, self._candidates)
        if sibling is None or sibling.opener is not None or candidate.opener is not None:
            return None
        files = open_pair(candidate.format, sibling.model, candidate.model)
        if files is None:
            return None
        rows = self._order[: self._options.layer_images]
        tensors, n = layer_reports(files, self._table.pixels[rows], self._options.seconds)
        return worst_first(tensors, sibling.name, n), tensors

    @cached_property
    def _files(self) -> dict[int, bytes]:
        return encoded(self._table.images, self._order[: self._options.attribution_images].tolist())

    @cached_property
    def _device(self) -> list[Preprocessed]:
        if self._spec is None:
            return []
        return device_paths(self._files, self._spec, self._options.seconds)

    @cached_property
    def _stock_pixels(self) -> Preprocessed | None:
        return None if self._spec is None else stock_path(self._files, self._spec, self._options.seconds)

    @staticmethod
    def _tried(measure: Callable[[], _T], name: str, missing: list[str]) -> _T | None:
        try:
            return measure()
        except Exception as error:
            # Interpreters may raise anything when run in unusual ways.
            missing.append(f"{name}: {first_line(error)}")
            return None


def run_for(run: Run, pixels: UInt8Array, seconds: float) -> Float32Array:
    """Scores images until the time is up, at least one.

    Args:
        run: Scores one image.
        pixels: uint8 ``[n, height, width, channels]``.
        seconds: Time limit.

    Returns:
        float32 ``[k, classes]`` of the first k images; ``[0]`` if there are none.
    """
    end = time.perf_counter() + seconds
    scores = []
    for image in pixels:
        scores.append(run(np.asarray(image)))
        if time.perf_counter() > end:
            break
    return np.stack(scores) if scores else np.empty(0, dtype=np.float32)


def step(
    name: StepName, before: Float32Array, after: Float32Array, note: str, *, share: int | None = None
) -> AttributionStep:
    """Measures one step.

    Args:
        name: The step.
        before: Scores before it, float32 ``[n, classes]``.
        after: Scores after it, of the same images.
        note: What is compared.
        share: Number of disagreements it causes.
    """
    return AttributionStep(
        name=name,
        n=len(before),
        changed=int(np.sum(before.argmax(axis=1) != after.argmax(axis=1))),
        share=share,
        dp=float(largest_changes(after, before).mean()) if len(before) else 0.0,
        note=note,
    )


def model_steps(
    full: Float32Array, float_file: Float32Array | None, found: Float32Array, *, is_float: bool
) -> tuple[int, tuple[AttributionStep, ...]]:
    """Splits the disagreements into conversion and quantization.

    Args:
        full: The full model's scores, float32 ``[n, classes]``.
        float_file: Scores of the float file of the same format; None if there is none.
        found: Scores of the artifact.
        is_float: Whether the artifact is itself a float file.

    Returns:
        How many answers differ, and the steps, whose shares sum to that.
    """
    differs = full.argmax(axis=1) != found.argmax(axis=1)
    total = int(differs.sum())
    if is_float:
        return total, (step("conversion", full, found, "full model -> this file", share=total),)
    if float_file is None:
        note = "full model -> this file; the float file of this format was not exported"
        return total, (step("conversion and quantization", full, found, note, share=total),)
    first = int(np.sum(differs & (float_file.argmax(axis=1) != full.argmax(axis=1))))
    return total, (
        step("conversion", full, float_file, "full model -> float file", share=first),
        step("quantization", float_file, found, "float file -> this file", share=total - first),
    )
