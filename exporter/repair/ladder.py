"""The repair ladder: from the cheapest remedy on, until an int8 artifact is good enough.

Rungs::

    per-channel int8                 true min/max calibration: where everything starts
    unsigned weights                 seconds: all 8 bits of ONNX weights, slower on CPUs with VNNI
    bias correction                  seconds: biases take back the mean shift of rounded weights
    float operations                 seconds: the 2, 3 or 5 worst operations stay float
    equalisation                     seconds: outlier channels between linear layers rescaled
    quantization-aware fine-tuning   minutes: only where the gate would still fail

Every decision (whether to climb at all, which rung is kept, when to stop) is made on the same
images of the calibration side, and all rules are in :class:`Goal`. The images that judge the artifact
in the end take no part: each look at them would be one more chance for a bad file to pass by luck
(with three looks, a file that is worse by the margin passes in 12 % instead of 5 %). The price is
that the ladder cannot know what the gate will say; it climbs for what it sees.

What it sees must be unsettled enough: training images would show no disagreement where new images
do, so the caller gives close-ups of them, see :mod:`exporter.repair.close_ups`.

ONNX weights start on a narrow grid, on which every CPU computes the same, with their biases corrected
(:mod:`exporter.quantize.products`). Where the range that it gives up is missed, they are stored as uint8,
which every CPU computes the same as well.

A rung is kept if it ends a failed gate, or if it lowers the floored KL by a fifth or more and costs no
agreement. What is kept stays for the rungs after it. A collapse (agreement below one half) with
outlier channels at hand is equalised first: other rungs would spend their effort on what outliers cause.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_runtime.errors import ModelFileError, first_line
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from exporter.gate import Comparison, IntArray, compare
from exporter.progress import Progress, step
from exporter.quantize.bias import corrected
from exporter.quantize.graph import QuantGraph
from exporter.repair.equalise import equalised, unequal_pairs
from exporter.repair.islands import candidates
from exporter.repair.qat import TuningUnavailable
from exporter.scoring import file_scores

BASELINE = "per-channel int8"
UNSIGNED = "unsigned weights"
BIAS = "bias correction"
ISLANDS = "float operations"
EQUALISATION = "equalisation"
TUNING = "quantization-aware fine-tuning"

COLLAPSE = 0.5
"""Agreement below which outlier channels, if there are any, are looked at first."""

LEAST_GAIN = 0.2
"""Share of the floored KL that a remedy must take; float operations always take a little, at a price in size."""

_RANKING_IMAGES = 20
"""Images that rank operations by error."""


@dataclass(frozen=True)
class Goal:
    """What is good enough.

    Attributes:
        margin: Largest top-1 drop that passes the gate, in fractions of 1.
        agreement: Smallest share of images with the full model's top-1, 0..1.
        always_tune: Whether fine-tuning is worth its minutes although the gate does not fail.
        labelled: Whether the images show the model's classes. Of other things nobody knows what is right:
            there every other answer would count as lost and none as won, so only agreement counts.
    """

    margin: float
    agreement: float
    always_tune: bool = False
    labelled: bool = True

    def failed(self, result: Comparison) -> bool:
        """Whether the gate fails a result; without labels, whether most answers are other ones."""
        return result.verdict == "fail" if self.labelled else result.agreement < COLLAPSE

    def reached(self, result: Comparison) -> bool:
        """Whether a result needs no repair: no failed gate, enough agreement, and at most half the margin lost.

        Half the margin as a point estimate: with more lost here, other images may well show all of it.
        Too few images to tell is no reason to repair.
        """
        enough = not self.failed(result) and result.agreement >= self.agreement
        return enough and (not self.labelled or result.delta >= -self.margin / 2)

    def worth_minutes(self, result: Comparison) -> bool:
        """Whether a result that did not reach the goal is worth fine-tuning."""
        return self.always_tune or self.failed(result)

    def helps(self, new: Comparison, old: Comparison) -> bool:
        """Whether a remedy is kept: it ends a failed gate, or takes a fifth of the KL and no agreement.

        The KL decides because it moves least by chance: of a few hundred images, a handful of answers that
        are lost or won make a drop that is none.

        Args:
            new: The result with it.
            old: The result without it, which did not reach the goal.
        """
        if self.failed(new) != self.failed(old):
            return self.failed(old)
        better = new.kl <= (1.0 - LEAST_GAIN) * old.kl
        return better and (new.agreement >= old.agreement or self.reached(new))


@dataclass(frozen=True)
class Rung:
    """One remedy and what it did, with all that was kept before it.

    Attributes:
        name: The remedy.
        kept: Whether it helped and is in the result.
        passed: Whether the goal was reached with it.
        delta: Top-1 minus the full model's, fractions of 1.
        agreement: Share of images with the full model's top-1, 0..1.
        kl: Mean floored KL divergence, in nats.
        bytes: Size of the file.
        note: What exactly was done, or why not.
    """

    name: str
    kept: bool
    passed: bool
    delta: float
    agreement: float
    kl: float
    bytes: int
    note: str


@dataclass(frozen=True)
class Repaired:
    """The best int8 file, and how it came about.

    Attributes:
        data: The file.
        rungs: Every rung that was looked at; the first is the plain int8 file.
    """

    data: bytes
    rungs: tuple[Rung, ...]


@dataclass(frozen=True)
class _State:
    """What has been kept so far.

    Attributes:
        base: The graph before its biases were corrected.
        means: What its layers see, if biases are corrected; else None.
        graph: The graph that was quantized.
        float_ops: Operations left in float.
        data: The int8 file.
        result: How good it is.
    """

    base: QuantGraph
    means: dict[str, Float32Array] | None
    graph: QuantGraph
    float_ops: tuple[str, ...]
    data: bytes
    result: Comparison


def repair(
    graph: QuantGraph,
    pixels: UInt8Array,
    truth: IntArray,
    reference_scores: Float32Array,
    *,
    calibration_pixels: UInt8Array,
    labels: Sequence[str],
    goal: Goal,
    tune: Callable[[], QuantGraph] | None,
    progress: Progress,
    plain: bytes | None = None,
) -> Repaired:
    """Quantizes a model, and repairs it if it does not reach the goal.

    Args:
        graph: The float model, calibrated or not.
        pixels: Calibration-side images that judge the rungs, uint8 ``[n, height, width, channels]``.
        truth: Their true class indices, int64 ``[n]``.
        reference_scores: The full model's scores of them, float32 ``[n, classes]``.
        calibration_pixels: Images that give ranges and means.
        labels: Class names.
        goal: What is good enough.
        tune: Gives a model fine-tuned for int8; None where there is no way to.
        progress: Called with a rung's name, images done and images in all.
        plain: The graph's int8 file, where it was quantized already.

    Raises:
        UsageError: There is no image, or one has a wrong shape.
        ModelFileError: The quantizer refuses the model.
    """

    def judge(data: bytes, name: str) -> Comparison:
        scores = file_scores(
            data, graph.format, pixels, len(labels), threads=min(4, os.cpu_count() or 1),
            progress=step(progress, name),
        )  # fmt: skip
        return compare(reference_scores, scores, truth, labels, margin=goal.margin)

    return climb(graph, judge, calibration_pixels=calibration_pixels, goal=goal, tune=tune, plain=plain)


def climb(
    graph: QuantGraph,
    judge: Callable[[bytes, str], Comparison],
    *,
    calibration_pixels: UInt8Array,
    goal: Goal,
    tune: Callable[[], QuantGraph] | None,
    plain: bytes | None = None,
) -> Repaired:
    """The ladder itself; see :func:`repair`.

    Args:
        graph: The float model, calibrated or not.
        judge: Compares an int8 file with the full model; takes the rung's name too.
        calibration_pixels: Images that give ranges and means.
        goal: What is good enough.
        tune: Gives a model fine-tuned for int8; None where there is no way to.
        plain: The graph's int8 file, where it was quantized already.
    """
    return _Climb(judge, calibration_pixels, goal, tune).run(graph, plain)


class _Climb:
    def __init__(
        self,
        judge: Callable[[bytes, str], Comparison],
        images: UInt8Array,
        goal: Goal,
        tune: Callable[[], QuantGraph] | None,
    ) -> None:
        self._judge, self._images, self._goal, self._tune = judge, images, goal, tune
        self._rungs: list[Rung] = []
        self._state: _State

    def run(self, graph: QuantGraph, plain: bytes | None) -> Repaired:
        base = graph if graph.ranges is not None else graph.calibrated(self._images)
        data = base.quantized() if plain is None else plain
        self._state = _State(base, None, base, (), data, self._judge(data, BASELINE))
        self._note(BASELINE, self._state, kept=True, note=f"ranges of {len(self._images)} images")
        order = {
            UNSIGNED: self._unsigned,
            BIAS: self._bias,
            ISLANDS: self._islands,
            EQUALISATION: self._equalise,
            TUNING: self._tuning,
        }
        names = [name for name in order if name != UNSIGNED or base.narrow]
        if self._state.result.agreement < COLLAPSE and unequal_pairs(base.layers()):
            names.remove(EQUALISATION)
            names.insert(0, EQUALISATION)
        for name in names:
            if self._goal.reached(self._state.result):
                break
            try:
                order[name]()
            except ModelFileError as error:
                # The file so far is whole; one remedy less is no reason to lose it.
                self._skip(name, first_line(error))
        return Repaired(self._state.data, tuple(self._rungs))

    def _unsigned(self) -> None:
        base = self._state.base.widened()
        trial = self._made(base, base.input_means(self._images), self._state.float_ops, UNSIGNED)
        self._weigh(UNSIGNED, trial, "weights as uint8, biases corrected")

    def _bias(self) -> None:
        base = self._state.base
        if base.narrow or self._state.means is not None:
            self._skip(BIAS, "biases are corrected already")
            return
        trial = self._made(base, base.input_means(self._images), self._state.float_ops, BIAS)
        self._weigh(
            BIAS, trial, f"biases of {len(base.layers())} layers, means of {len(self._images)} images"
        )

    def _islands(self) -> None:
        errors = self._state.graph.op_errors(self._images[:_RANKING_IMAGES])
        tried = []
        for names in candidates(errors):
            tried.append(self._made(self._state.base, self._state.means, names, ISLANDS))
            if self._goal.reached(tried[-1].result):
                break
        if not tried:
            self._skip(ISLANDS, "no operation loses more than rounding does")
            return
        best = min(tried, key=lambda trial: (not self._goal.reached(trial.result), trial.result.kl))
        self._weigh(ISLANDS, best, "in float: " + ", ".join(_short(name) for name in best.float_ops))

    def _equalise(self) -> None:
        pairs = unequal_pairs(self._state.base.layers())
        if not pairs:
            self._skip(EQUALISATION, "no linear pair has channels that differ by more than 10 times")
            return
        base = equalised(self._state.base, pairs).calibrated(self._images)
        means = None if self._state.means is None else base.input_means(self._images)
        trial = self._made(base, means, self._state.float_ops, EQUALISATION)
        channels = sum(int((pair.scales != 1.0).sum()) for pair in pairs)
        self._weigh(
            EQUALISATION, trial, f"{channels} channels after " + ", ".join(_short(p.writer) for p in pairs)
        )

    def _tuning(self) -> None:
        if self._tune is None:
            self._skip(TUNING, "the model cannot be fine-tuned here")
            return
        if not self._goal.worth_minutes(self._state.result):
            self._skip(TUNING, "it takes minutes, and the gate does not fail; --repair full tries it")
            return
        try:
            tuned = self._tune()
        except TuningUnavailable as reason:
            self._skip(TUNING, str(reason))
            return
        base = tuned if tuned.ranges is not None else tuned.calibrated(self._images)
        if not self._state.base.narrow:
            base = base.widened()
        # A new conversion: operations that were left in float may be called otherwise.
        self._weigh(TUNING, self._made(base, None, (), TUNING), "weights trained with int8 in the loop")

    def _made(
        self,
        base: QuantGraph,
        means: dict[str, Float32Array] | None,
        float_ops: tuple[str, ...],
        name: str,
    ) -> _State:
        # Corrected anew each time: a layer that moves to float needs its own bias back.
        graph = base if means is None else corrected(base, means, float_ops=float_ops)
        data = graph.quantized(float_ops)
        return _State(base, means, graph, float_ops, data, self._judge(data, name))

    def _weigh(self, name: str, trial: _State, note: str) -> None:
        kept = self._goal.helps(trial.result, self._state.result)
        self._note(name, trial, kept=kept, note=note)
        if kept:
            self._state = trial

    def _skip(self, name: str, why: str) -> None:
        self._note(name, self._state, kept=False, note=f"skipped: {why}")

    def _note(self, name: str, state: _State, *, kept: bool, note: str) -> None:
        result = state.result
        self._rungs.append(
            Rung(
                name=name,
                kept=kept,
                passed=self._goal.reached(result),
                delta=result.delta,
                agreement=result.agreement,
                kl=result.kl,
                bytes=len(state.data),
                note=note,
            )
        )


def _short(name: str) -> str:
    """A fused operation carries the names of all its parts; the first one says enough."""
    return name.split(";")[0]
