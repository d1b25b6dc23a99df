"""Where the disagreements of an artifact come from.

From the full model's answer to the device's, one step at a time::

    full model's pixels -> device's pixels   preprocessing   zero by contract
    full model -> float file                 conversion
    float file -> this file                  quantization
    this file -> the same on plain kernels   engine

Conversion and quantization add up to all disagreements: an image counts at the first step that changes
its answer. Engine and preprocessing are separate: they are differences between devices, not between
the full model and this file.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.result import Float32Array
from exporter.evidence.record import AttributionStep, StepName


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
    change = np.abs(after.astype(np.float64) - before)
    return AttributionStep(
        name=name,
        n=len(before),
        changed=int(np.sum(before.argmax(axis=1) != after.argmax(axis=1))),
        share=share,
        dp=float(change.max(axis=1).mean()) if len(before) else 0.0,
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
