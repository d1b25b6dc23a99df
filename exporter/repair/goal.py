"""When an int8 file is good enough, and which repair steps help."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.source.scoring import file_scores
from exporter.statistics.drift import IntArray
from exporter.statistics.gate import Comparison, compare

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
class Evaluation:
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
        scores = file_scores(
            data, format, self.pixels, len(self.labels), threads=min(4, os.cpu_count() or 1),
            progress=self.progress, step=step,
        )  # fmt: skip
        return compare(self.reference, scores, self.truth, self.labels, margin=self.margin)
