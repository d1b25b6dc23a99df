"""Accuracy-aware repair: applies remedies to an int8 artifact, cheapest first, until it is good enough.

Steps::

    per-channel int8                 true min/max calibration: the starting point
    unsigned weights                 seconds: all 8 bits for ONNX weights, slower on CPUs with VNNI
    bias correction                  seconds: biases absorb the mean shift caused by rounded weights
    float operations                 seconds: mixed precision, the 2, 3 or 5 worst operations stay in float
    equalisation                     seconds: outlier channels between linear layers are rescaled
    quantization-aware fine-tuning   minutes: only if the gate would still fail

Every decision (whether to repair at all, which step to keep, when to stop) is made on the same images
of the calibration side, by the rules of :class:`Goal`. The images that judge the
artifact in the end are never used here: each look at them would be another chance for a bad file to
pass by luck (with three looks, a file that is worse by exactly the margin passes in 12 % of cases
instead of 5 %). The price is that a repair cannot know what the gate will say.

Training images would show no disagreement where new images do, so the caller passes crops of them,
see :mod:`exporter.repair.artifact_repair`.

ONNX weights start on a narrow grid, on which every CPU computes the same results, with their biases
corrected (:mod:`exporter.quantize.onnx_saturation`). If that costs too much accuracy, they are stored as uint8,
which every CPU computes identically as well.

A step is kept if it turns a failed gate, or if it lowers the floored KL by at least a fifth without losing
agreement. Later steps build on what was kept. A collapse (agreement below one half) with outlier channels
is equalised first: other steps would spend their effort on what the outliers cause.

When an int8 file is good enough, and which repair steps help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import ModelFileError, first_line
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.evidence.record import RepairStep
from exporter.quantize.bias import corrected
from exporter.quantize.graph import OpError, QuantGraph
from exporter.repair.equalization import equalized, unequal_pairs
from exporter.source.scoring import file_scores
from exporter.statistics.comparison import Comparison, compare

BASELINE = "per-channel int8"
UNSIGNED = "unsigned weights"
BIAS = "bias correction"
MIXED_PRECISION = "float operations"
EQUALIZATION = "equalisation"
TUNING = "quantization-aware fine-tuning"

_RANKING_IMAGES = 20
"""Images used to rank operations by error."""

_FLOAT_COUNTS = (2, 3, 5)
"""How many operations to leave in float, tried in this order; more never paid off when measured."""

_ERROR_STEPS = 0.35
"""Error in quantization steps above which an operation is a candidate for float.

Pure rounding has 0.29, which float does not improve.
"""


@dataclass(frozen=True)
class Repaired:
    """The best int8 file, and how it was found.

    Attributes:
        data: The file.
        steps: Every step that was considered; the first is the plain int8 file.
    """

    data: bytes
    steps: tuple[RepairStep, ...]


def repair(
    graph: QuantGraph,
    evaluate: Evaluate,
    *,
    calibration_pixels: UInt8Array,
    goal: Goal,
    fine_tune: Callable[[], QuantGraph] | None = None,
    plain: bytes | None = None,
) -> Repaired:
    """Quantizes a model, and repairs it if it does not reach the goal.

    Args:
        graph: The float model, calibrated or not.
        evaluate: Compares int8 files with the full model, such as a :class:`RepairEvaluation`.
        calibration_pixels: Images for ranges and means, uint8 ``[n, height, width, channels]``.
        goal: When a file is good enough.
        fine_tune: Returns a model fine-tuned for int8; None where that is impossible.
        plain: The graph's int8 file, if it has been quantized already.

    Raises:
        UsageError: There are no images, or their shape is wrong.
        ModelFileError: The quantizer refuses the model.
    """
    base = graph if graph.ranges is not None else graph.calibrated(calibration_pixels)
    data = base.quantized() if plain is None else plain
    state = _State(base, None, base, (), data, evaluate(data, base.format, BASELINE))
    remedies = _Remedies(evaluate, calibration_pixels, goal, fine_tune)
    note = f"ranges of {len(calibration_pixels)} images"
    steps = [_record(BASELINE, state, goal, note, kept=True)]
    for name, remedy in remedies.in_order(state):
        if goal.reached(state.result):
            break
        try:
            trial, note = remedy(state)
        except (StepUnavailable, ModelFileError) as reason:
            # The file so far is complete; one failed remedy is no reason to lose it.
            steps.append(_record(name, state, goal, f"skipped: {first_line(reason)}", kept=False))
            continue
        kept = goal.helps(trial.result, state.result)
        steps.append(_record(name, trial, goal, note, kept=kept))
        state = trial if kept else state
    return Repaired(state.data, tuple(steps))


@dataclass(frozen=True)
class _State:
    """An int8 file and how it was made.

    Attributes:
        base: The graph before bias correction.
        means: Mean inputs of its layers if biases are corrected, else None.
        graph: The graph that was quantized.
        float_ops: Operations left in float.
        data: The int8 file.
        result: The file compared with the full model.
    """

    base: QuantGraph
    means: dict[str, Float32Array] | None
    graph: QuantGraph
    float_ops: tuple[str, ...]
    data: bytes
    result: Comparison


_Remedy: TypeAlias = Callable[[_State], tuple[_State, str]]
"""Returns the state with the remedy applied, and a note on what was done."""


@dataclass(frozen=True)
class _Remedies:
    """All remedies; they share the images and the goal of one repair."""

    evaluate: Evaluate
    images: UInt8Array
    goal: Goal
    fine_tune: Callable[[], QuantGraph] | None

    def in_order(self, start: _State) -> Iterator[tuple[str, _Remedy]]:
        collapsed = start.result.agreement < COLLAPSE and bool(unequal_pairs(start.base.layers()))
        if collapsed:
            yield EQUALIZATION, self.equalization
        if start.base.narrow:
            yield UNSIGNED, self.unsigned
        yield BIAS, self.bias_correction
        yield MIXED_PRECISION, self.mixed_precision
        if not collapsed:
            yield EQUALIZATION, self.equalization
        yield TUNING, self.tuning

    def unsigned(self, state: _State) -> tuple[_State, str]:
        base = state.base.widened()
        trial = self._made(base, base.input_means(self.images), state.float_ops, UNSIGNED)
        return trial, "weights as uint8, biases corrected"

    def bias_correction(self, state: _State) -> tuple[_State, str]:
        base = state.base
        if base.narrow or state.means is not None:
            raise StepUnavailable("biases are corrected already")
        trial = self._made(base, base.input_means(self.images), state.float_ops, BIAS)
        return trial, f"biases of {len(base.layers())} layers, means of {len(self.images)} images"

    def mixed_precision(self, state: _State) -> tuple[_State, str]:
        trials = []
        for names in _float_sets(state.graph.op_errors(self.images[:_RANKING_IMAGES])):
            trials.append(self._made(state.base, state.means, names, MIXED_PRECISION))
            if self.goal.reached(trials[-1].result):
                break
        if not trials:
            raise StepUnavailable("no operation loses more than rounding alone")
        best = min(trials, key=lambda trial: (not self.goal.reached(trial.result), trial.result.kl))
        return best, "in float: " + ", ".join(_short(name) for name in best.float_ops)

    def equalization(self, state: _State) -> tuple[_State, str]:
        pairs = unequal_pairs(state.base.layers())
        if not pairs:
            raise StepUnavailable("no pair of linear layers has channels that differ by more than 10 times")
        base = equalized(state.base, pairs).calibrated(self.images)
        means = None if state.means is None else base.input_means(self.images)
        trial = self._made(base, means, state.float_ops, EQUALIZATION)
        channels = sum(int((pair.scales != 1.0).sum()) for pair in pairs)
        return trial, f"{channels} channels after " + ", ".join(_short(pair.writer) for pair in pairs)

    def tuning(self, state: _State) -> tuple[_State, str]:
        if self.fine_tune is None:
            raise StepUnavailable("this model cannot be fine-tuned")
        if not self.goal.worth_minutes(state.result):
            raise StepUnavailable("slow, and the gate does not fail; enable with --repair full")
        tuned = self.fine_tune()
        base = tuned if tuned.ranges is not None else tuned.calibrated(self.images)
        if not state.base.narrow:
            base = base.widened()
        # A new conversion: the operations that were left in float may have other names now.
        return self._made(base, None, (), TUNING), "weights trained with int8 in the loop"

    def _made(
        self, base: QuantGraph, means: dict[str, Float32Array] | None, float_ops: tuple[str, ...], name: str
    ) -> _State:
        # Corrected anew each time: a layer that moves to float needs its original bias.
        graph = base if means is None else corrected(base, means, float_ops=float_ops)
        data = graph.quantized(float_ops)
        return _State(base, means, graph, float_ops, data, self.evaluate(data, graph.format, name))


def _record(name: str, state: _State, goal: Goal, note: str, *, kept: bool) -> RepairStep:
    result = state.result
    return RepairStep(
        name=name, kept=kept, passed=goal.reached(result), delta=result.delta, agreement=result.agreement,
        kl=result.kl, bytes=len(state.data), note=note,
    )  # fmt: skip


def _float_sets(errors: tuple[OpError, ...]) -> tuple[tuple[str, ...], ...]:
    """The sets of operations to try in float, smallest first; ``errors`` are sorted, worst first."""
    worst = tuple(entry.name for entry in errors if entry.error > _ERROR_STEPS)
    sizes = sorted({min(count, len(worst)) for count in _FLOAT_COUNTS} - {0})
    return tuple(worst[:size] for size in sizes)


def _short(name: str) -> str:
    """The first part's name: a fused operation carries the names of all its parts."""
    return name.split(";")[0]


COLLAPSE = 0.5
"""Agreement below which outlier channels, if there are any, are handled first."""

LEAST_GAIN = 0.2
"""Share of the floored KL that a step must remove; mixed precision always removes a little, at a cost in size."""


@dataclass(frozen=True)
class Goal:
    """When an int8 file is good enough.

    Attributes:
        margin: Largest top-1 drop that passes the gate, in fractions of 1.
        agreement: Smallest share of images with the full model's top-1, 0..1.
        always_tune: Whether to fine-tune even if the gate does not fail.
        labelled: Whether the images show the model's classes. If not, the true answer is unknown and every
            changed answer would count as lost and none as won, so only agreement is used.
    """

    margin: float
    agreement: float
    always_tune: bool = False
    labelled: bool = True

    def failed(self, result: Comparison) -> bool:
        """Whether the gate fails a result; without labels, whether most answers changed."""
        return result.verdict == "fail" if self.labelled else result.agreement < COLLAPSE

    def reached(self, result: Comparison) -> bool:
        """Whether a result needs no repair: no failed gate, enough agreement, and at most half the margin lost.

        Half the margin because this is a point estimate: beyond it, other images may well show the full
        drop. Too few images for a verdict are no reason to repair.
        """
        enough = not self.failed(result) and result.agreement >= self.agreement
        return enough and (not self.labelled or result.delta >= -self.margin / 2)

    def worth_minutes(self, result: Comparison) -> bool:
        """Whether a result that did not reach the goal is worth fine-tuning."""
        return self.always_tune or self.failed(result)

    def helps(self, new: Comparison, old: Comparison) -> bool:
        """Whether to keep a step: it turns a failed gate, or removes a fifth of the KL at no cost in agreement.

        The KL decides because it is the least noisy: on a few hundred images, a handful of changed
        answers looks like a drop although there is none.

        Args:
            new: The result with the step.
            old: The result without it, which did not reach the goal.
        """
        if self.failed(new) != self.failed(old):
            return self.failed(old)
        better = new.kl <= (1.0 - LEAST_GAIN) * old.kl
        return better and (new.agreement >= old.agreement or self.reached(new))


class StepUnavailable(Exception):  # noqa: N818 - not a user error: the repair continues without the step
    """A repair step does not apply; the text is the reason in one line, for the report."""


Evaluate: TypeAlias = Callable[[bytes, Format, str], Comparison]
"""Compares an int8 file of a format with the full model; takes the step's name as well."""


@dataclass(frozen=True)
class RepairEvaluation:
    """Compares int8 files with the full model, on images of the calibration side.

    Attributes:
        pixels: uint8 ``[n, height, width, channels]``.
        truth: True class indices, int64 ``[n]``; for unlabelled images the full model's answers.
        reference: The full model's scores, float32 ``[n, classes]``.
        labels: Class names.
        margin: Largest top-1 drop that passes the gate, in fractions of 1.
        progress: Progress callback.
    """

    pixels: UInt8Array
    truth: IntArray
    reference: Float32Array
    labels: Sequence[str]
    margin: float
    progress: Progress = no_progress

    def __call__(self, data: bytes, format: Format, step: str) -> Comparison:
        """Compares one file.

        Raises:
            ModelFileError: The engine refuses it.
        """
        scores = file_scores(data, format, self.pixels, len(self.labels), progress=self.progress, step=step)
        return compare(self.reference, scores, self.truth, self.labels, margin=self.margin)
