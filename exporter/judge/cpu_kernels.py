"""Does an .onnx file give the same answers on every CPU?

A file whose u8 x s8 products can exceed 16 bits (:mod:`exporter.quantize.onnx_saturation`) gives other
answers on x86 CPUs without VNNI. This is read from the file, so that any CPU reveals it. The images
are then scored twice: with the default kernels, which count, and with exact ones. The effect on the
verdict::

    nothing can overflow             nothing
    the kernels of this CPU saturate the worse of the two verdicts
    those of other CPUs would        at best inconclusive: this CPU cannot tell
    no exact kernels for the file    at best inconclusive
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from edge_runtime.common.errors import ModelFileError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.evidence.record import KernelsReport
from exporter.formats.onnx_run import kernels_saturate
from exporter.judge.verdict import ArtifactReport
from exporter.quantize.onnx_saturation import Products, products
from exporter.source.candidate import Candidate
from exporter.source.scoring import HERE, Scoring
from exporter.statistics.gate import GateVerdict, overall
from exporter.statistics.row_blocks import largest_changes

_CURE = "export it again, or store its weights as uint8"


def examine_kernels(
    candidate: Candidate,
    pixels: UInt8Array,
    scores: Float32Array,
    compared: Callable[[Float32Array], tuple[GateVerdict, float | None]],
    *,
    threads: int,
    progress: Progress,
    scoring: Scoring = HERE,
) -> KernelsReport | None:
    """Reads which kernels a file needs, and scores images with exact ones if it can overflow.

    Args:
        candidate: The artifact.
        pixels: Judging images, uint8 ``[n, height, width, channels]``.
        scores: The artifact's scores with default kernels, float32 ``[n, classes]``.
        compared: The gate's verdict on other scores of the same images, and their top-1 if there are labels.
        threads: Threads of one inference.
        progress: Progress callback.
        scoring: Who scores.

    Returns:
        None for a file without such operations, and for other formats.

    Raises:
        EnvironmentMissingError: onnx is not installed.
    """
    found = _products(candidate)
    risky = [one for one in found if not one.fits]
    if not found:
        return None
    if not risky:
        return KernelsReport(len(found), 0)
    worst = max(risky, key=lambda one: one.pair_sum).name
    try:
        with quiet():
            engine = candidate.open(threads, exact=True)
    except ModelFileError:
        # For example a file with an operation on int8 activations, which has no exact form.
        return KernelsReport(len(found), len(risky), worst)
    try:
        scorer = scoring.artifact(candidate, engine, scores.shape[1], threads=threads, exact=True)
        exact = scorer(pixels, progress, f"checking {candidate.name} with exact kernels")
    finally:
        engine.close()
    verdict, top1 = compared(exact)
    return KernelsReport(
        operations=len(found),
        overflowing=len(risky),
        worst=worst,
        changed=int(np.sum(exact.argmax(axis=1) != scores.argmax(axis=1))),
        exact_top1=top1,
        exact_verdict=verdict,
        max_abs_dp=float(largest_changes(exact, scores).max()),
    )


def can_overflow(candidate: Candidate) -> bool:
    """Whether :func:`examine_kernels` scores images with exact kernels as well, if there are any for the file.

    Args:
        candidate: The artifact.

    Raises:
        EnvironmentMissingError: onnx is not installed.
    """
    return any(not one.fits for one in _products(candidate))


def _products(candidate: Candidate) -> tuple[Products, ...]:
    """The operations of a quantized .onnx file on uint8 activations and int8 weights; of others, none."""
    if candidate.format != "onnx" or candidate.exact:
        return ()
    from exporter.formats.onnx_run import parsed

    return products(parsed(candidate.model))


def with_kernels(report: ArtifactReport, kernels: KernelsReport | None) -> ArtifactReport:
    """Adds the findings to an artifact's report and verdict.

    Args:
        report: The artifact as the gate judged it.
        kernels: The result of :func:`examine_kernels`.
    """
    verdict, reason = verdict_on_all_cpus(report.verdict, report.reason, kernels)
    needed = report.images_needed if verdict == report.verdict else None
    return msgspec.structs.replace(
        report, kernels=kernels, verdict=verdict, reason=reason, images_needed=needed
    )


def verdict_on_all_cpus(
    verdict: GateVerdict, reason: str, kernels: KernelsReport | None
) -> tuple[GateVerdict, str]:
    """The verdict and its reason, with what other CPUs would answer.

    Args:
        verdict: The gate's, with the default kernels of this CPU.
        reason: Its reason.
        kernels: The result of :func:`examine_kernels`.
    """
    if kernels is None or not kernels.depends_on_cpu:
        return verdict, reason
    other = kernels.exact_verdict if kernels_saturate() else None
    worse = overall([verdict, other or "inconclusive"])
    if worse != verdict:
        return worse, kernels_text(kernels)
    # More images alone would not settle it.
    return verdict, f"{reason}; {kernels_text(kernels)}" if verdict == "inconclusive" else reason


def kernels_text(kernels: KernelsReport) -> str:
    """The finding in one line; empty if every CPU gives the same answers.

    Args:
        kernels: The findings.
    """
    if not kernels.depends_on_cpu:
        return ""
    where = f"products of {kernels.overflowing} of {kernels.operations} operations can pass 16 bits"
    if kernels.max_abs_dp:
        top1 = "" if kernels.exact_top1 is None else f" (top-1 {100 * kernels.exact_top1:.2f} %)"
        return (
            f"the kernels of this CPU saturate: {where}, and {kernels.changed} answers differ from those of "
            f"exact kernels{top1}; {_CURE}"
        )
    return f"{where}: x86 CPUs without VNNI may give other answers; {_CURE}"
