"""The diagnostics as stored in ``check.json``, where every field is optional, and which of them to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_runtime.bundle.manifest import Verdict
from edge_runtime.bundle.strict_json import Strict

StepName = Literal[
    "preprocessing",
    "conversion",
    "quantization",
    "conversion and quantization",
    "engine",
    "stock preprocessing",
]


class TemperatureReport(Strict, frozen=True):
    """Confidence calibration of a model.

    Attributes:
        temperature: T of ``p^(1/T)``, renormalised; above 1 the model is overconfident.
        ece: Expected calibration error of the scores, 15 bins.
        ece_after: The same after scaling, each half of the images with the temperature of the other half.
    """

    temperature: float
    ece: float
    ece_after: float


class ClassChange(Strict, frozen=True):
    """One class on one artifact.

    Attributes:
        top1: Its top-1 in the class, 0..1.
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        delta: ``(won - lost) / n``.
    """

    top1: float
    lost: int
    won: int
    delta: float


class ClassReport(Strict, frozen=True):
    """One class.

    Attributes:
        label: Its name.
        n: Its images.
        top1: The full model's top-1 in the class, 0..1.
        artifacts: The same for each artifact, by name.
    """

    label: str
    n: int
    top1: float
    artifacts: dict[str, ClassChange]


class ParityReport(Strict, frozen=True):
    """Every model against every other; both tables are symmetric.

    Attributes:
        names: ``full model``, then the artifacts.
        agreement: Share of images with the same top-1, row by row.
        max_abs_dp: Largest difference of any score, row by row.
    """

    names: tuple[str, ...]
    agreement: tuple[tuple[float, ...], ...]
    max_abs_dp: tuple[tuple[float, ...], ...]


class AttributionStep(Strict, frozen=True):
    """One step on the way from the full model's answer to the device's.

    Attributes:
        name: The step.
        n: Images it was measured on.
        changed: Images whose answer changes at this step.
        share: Disagreements with the full model that first appear at this step; None for steps between
            devices.
        dp: Largest change of any score, averaged over the images.
        note: What was compared, in words.
    """

    name: StepName
    n: int
    changed: int
    share: int | None
    dp: float
    note: str


class AttributionReport(Strict, frozen=True):
    """Where an artifact's disagreements come from.

    Attributes:
        disagreements: Images on which its answer differs from the full model's.
        steps: What each step adds; the shares sum to the disagreements.
        skipped: Steps that could not be measured, with the reason.
    """

    disagreements: int
    steps: tuple[AttributionStep, ...]
    skipped: tuple[str, ...] = ()


class EngineReport(Strict, frozen=True):
    """The same file, run differently.

    Attributes:
        engine: The interpreter and its kernels, such as ``litert, no XNNPACK``.
        threads: Threads per inference.
        n: Images.
        agreement: Share of images with the same top-1 as the judging engine, 0..1.
        max_abs_dp: Largest difference of any score from it.
        latency_ms: Median of one inference; all rows of a table were measured alternately.
    """

    engine: str
    threads: int
    n: int
    agreement: float
    max_abs_dp: float
    latency_ms: float


class KernelsReport(Strict, frozen=True):
    """What a quantized .onnx file requires of CPU kernels; see :mod:`exporter.quantize.onnx_saturation`.

    Attributes:
        operations: Its operations on uint8 activations and int8 weights.
        overflowing: How many of them have products whose sums can exceed 16 bits.
        worst: The one with the largest such sum; empty if there is none.
        changed: Judging images on which the default kernels of this CPU and exact ones
            (``session.x64quantprecision``) disagree; None if the file cannot overflow or was not run
            with exact kernels.
        exact_top1: Top-1 with exact kernels, 0..1; None as above.
        exact_verdict: Verdict of the gate with exact kernels; None as above.
        max_abs_dp: Largest difference of any score between the two; None as above.
    """

    operations: int
    overflowing: int
    worst: str = ""
    changed: int | None = None
    exact_top1: float | None = None
    exact_verdict: Literal["pass", "fail", "inconclusive"] | None = None
    max_abs_dp: float | None = None

    @property
    def depends_on_cpu(self) -> bool:
        """Whether its answers may differ between CPUs."""
        return self.overflowing > 0


class LayerReport(Strict, frozen=True):
    """One tensor of a quantized file compared with the same tensor of the float file.

    Attributes:
        name: The tensor.
        op: The operation that produces it.
        sqnr_db: Signal to quantization noise, ``10 log10(sum x^2 / sum (x - q)^2)``, in dB.
        rmse: Root mean square of the difference, in the tensor's unit.
        steps: rmse in quantization steps (its scale); None for a float tensor. Its own
            rounding alone gives 0.29.
        range: Largest minus smallest float value.
    """

    name: str
    op: str
    sqnr_db: float
    rmse: float
    steps: float | None
    range: float


class LayersReport(Strict, frozen=True):
    """Errors of a quantized file's tensors, accumulated from the input to each.

    Attributes:
        float_file: The artifact it was compared with.
        n: Images.
        tensors: Tensors found in both.
        worst: The tensors with the lowest SQNR, lowest first.
    """

    float_file: str
    n: int
    tensors: int
    worst: tuple[LayerReport, ...]


class GoldenReport(Strict, frozen=True):
    """A replay of the bundle's golden examples on one artifact.

    Attributes:
        passed: Whether every stage of every example agreed.
        examples: Number of replayed examples.
        max_abs_dp: Largest score difference; None if there are no scores.
        tolerance: Largest difference that passes.
        reason: The first mismatch; empty if all agree.
    """

    passed: bool
    examples: int
    max_abs_dp: float | None
    tolerance: float
    reason: str = ""


class RepairStep(Strict, frozen=True):
    """One repair step, together with the steps kept before it, judged on the calibration side.

    Attributes:
        name: The remedy, such as ``bias correction``.
        kept: Whether it helped and is in the result.
        passed: Whether the file is good enough with it.
        delta: Top-1 minus the full model's, in fractions of 1.
        agreement: Share of images with the full model's top-1, 0..1.
        kl: Mean floored KL divergence, in nats.
        bytes: Size of the file.
        note: What was done, or why it was skipped.
    """

    name: str
    kept: bool
    passed: bool
    delta: float
    agreement: float
    kl: float
    bytes: int
    note: str = ""


class RepairReport(Strict, frozen=True):
    """How one artifact was repaired.

    Attributes:
        artifact: Its kind.
        rungs: The steps; the first is the artifact before any repair.
    """

    artifact: str
    rungs: tuple[RepairStep, ...]

    @property
    def kept(self) -> tuple[RepairStep, ...]:
        """The remedies that are in the result."""
        return tuple(step for step in self.rungs[1:] if step.kept)


class ParetoPoint(Strict, frozen=True):
    """Cost and accuracy of one artifact.

    Attributes:
        name: Its name.
        bytes: Size of its file.
        latency_ms: Median of one inference.
        top1: Its top-1, 0..1.
        delta: Its top-1 minus the full model's.
        verdict: Verdict of the gate.
        on_front: Whether no other artifact is at least as good in all three and better in one.
        picked: Whether ``--best`` picked it.
    """

    name: str
    bytes: int
    latency_ms: float
    top1: float
    delta: float
    verdict: Verdict
    on_front: bool
    picked: bool = False


class ParetoReport(Strict, frozen=True):
    """Size, latency and accuracy of all artifacts that were tried."""

    points: tuple[ParetoPoint, ...]


@dataclass(frozen=True)
class DiagnosticOptions:
    """Which of the slow diagnostics to run, and on how many images; the cheap ones always run.

    Attributes:
        attribution: Run files on other kernels, and images through other preprocessing.
        engines: Compare engines and thread counts.
        layers: Compare quantized files with their float file, tensor by tensor.
        attribution_images: Maximum number of images for attribution; 0 leaves it to the scores that are known.
        engine_images: Maximum number of images for engines and threads.
        layer_images: Maximum number of images for tensors.
        seconds: Approximate time limit per measurement and file; only slow files are run on fewer
            images, so that repeated checks of an ordinary file agree.
    """

    attribution: bool = True
    engines: bool = True
    layers: bool = True
    attribution_images: int = 48
    engine_images: int = 16
    layer_images: int = 12
    seconds: float = 5.0

    @classmethod
    def standard(cls) -> DiagnosticOptions:
        """With what explains a disagreement in about a second: its step from the known scores, and its layer."""
        return cls(engines=False, attribution_images=0)

    @classmethod
    def quick(cls) -> DiagnosticOptions:
        """Without the slow diagnostics."""
        return cls(attribution=False, engines=False, layers=False)
