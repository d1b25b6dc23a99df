"""The configuration of a check, and its thresholds beyond top-1: agreement, and the loss of the worst class."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from edge_runtime.common.arrays import BoolArray, IntArray
from edge_runtime.common.errors import UnknownNameError, UsageError
from edge_runtime.image.input_spec import Fit, Resize
from exporter.common.wording import agreement_text
from exporter.evidence.classes import MissingClasses
from exporter.judge.judge_artifacts import Judgement
from exporter.judge.verdict import ArtifactReport
from exporter.reference.usage_check import WeakReference
from exporter.source.images import Chosen, PixelTable
from exporter.source.input_range import InputRange, check_range
from exporter.statistics.gate import DEFAULT_MARGIN, check_margin, paired_interval

Inconclusive = Literal["error", "pass", "fail"]


@dataclass(frozen=True)
class CheckConfig:
    """One check: of a bundle, or of a candidate against a reference.

    Attributes:
        bundle: A folder or zip, whose artifacts are compared with the full model.
        data: Labelled images to judge on; None uses the val images of the bundle's run.
        reference: The full model; None uses the one the bundle was made from. With a candidate: a run
            folder, a ``.keras``, ``.h5``, ``.tflite`` or ``.onnx`` file, or a SavedModel.
        candidate: A model file of one of these formats, to check instead of a bundle.
        labels: File with class names in the order of a candidate's outputs; None uses the files' own or
            those of ``data``, in the order that fits its images.
        fit: How images are fitted to a candidate's input; None is ``stretch``, or the setting of a run or
            bundle.
        resize: How images are resized for a candidate; None is ``antialiased``, or the setting of a
            bundle.
        input_range: Pixel range that candidate and reference expect; None is ``0..255``.
        reference_range: Pixel range of the reference, if it differs.
        split: Which split of ``data`` to judge on.
        margin: Largest top-1 drop that passes, in fractions of 1.
        agreement: Smallest share of images with the full model's answer, 0..1; None means no requirement.
        worst_class: Largest drop of any single class, in fractions of 1; None means no requirement. A class
            with few images is noisy, so it fails only if its own exact 95 % bound excludes a smaller drop.
            A class that lost exactly this much fails in at most 5 % of all cases; with many such
            classes, some will.
        threads: Threads per inference.
        inconclusive: How to treat an inconclusive verdict: ``error`` (exit 3), ``pass`` or ``fail``.
        missing_classes: How to treat a class without images: ``error`` or ``allow``.
        weak_reference: How to treat a full model that is no better than guessing: ``error`` or ``allow``.
        quick: Skip diagnostics that take seconds and do not affect the verdict.
        sequential: Go through the images one by one in a random order, and stop at the first that decides.
        seed: Seed of that order; None is 0.
        workers: Score in so many worker processes; None scores in this one, or with ``ray`` on all of its cores.
        ray: Address of a Ray cluster to score on: ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``.
    """

    bundle: str | os.PathLike[str] | None = None
    data: str | os.PathLike[str] | None = None
    reference: str | os.PathLike[str] | None = None
    candidate: str | os.PathLike[str] | None = None
    labels: str | os.PathLike[str] | None = None
    fit: Fit | None = None
    resize: Resize | None = None
    input_range: InputRange | None = None
    reference_range: InputRange | None = None
    split: Chosen = "val"
    margin: float = DEFAULT_MARGIN
    agreement: float | None = None
    worst_class: float | None = None
    threads: int = 1
    inconclusive: Inconclusive = "error"
    missing_classes: MissingClasses = "error"
    weak_reference: WeakReference = "error"
    quick: bool = False
    sequential: bool = False
    seed: int | None = None
    workers: int | None = None
    ray: str | None = None

    def __post_init__(self) -> None:
        """Rejects invalid configurations before anything is loaded.

        Raises:
            UsageError: A value is out of range, or values exclude or require each other.
            UnknownNameError: A name does not exist.
        """
        check_margin(self.margin)
        if not 1 <= self.threads <= 1024:
            raise UsageError(f"threads must be 1 to 1024. Received: {self.threads}. Pass --threads 1.")
        for option, share in (("agreement", self.agreement), ("worst-class", self.worst_class)):
            if share is not None and not 0.0 < share <= 1.0:
                raise UsageError(
                    f"--{option} must be above 0 and at most 1 (0.97 is 97 %). Received: {share:g}. "
                    "Pass a fraction of 1."
                )
        if self.seed is not None and not self.sequential:
            raise UsageError(
                f"--seed is for --sequential. Received: --seed {self.seed} alone. Pass both, or leave it out."
            )
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise UsageError(
                f"A seed must be 0 or more and below 2^63. Received: {self.seed}. Pass --seed 0, or leave it out."
            )
        self._check_workers()
        self._check_names()
        self._check_subject()

    def _check_workers(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"--workers must be at least 1. Received: {self.workers}. Pass --workers 2.")
        if self.ray is not None and not self.ray:
            raise UsageError(
                "--ray must be an address. Received: an empty text. Pass --ray auto, or leave it out."
            )
        if self.sequential and self.on_workers:
            option = f"--workers {self.workers}" if self.ray is None else f"--ray {self.ray}"
            raise UsageError(
                f"--sequential takes the images one by one in this process. Received: --sequential and {option}. "
                "Leave one of them out."
            )

    @property
    def on_workers(self) -> bool:
        """Whether workers score the images."""
        return self.workers is not None or self.ray is not None

    def _check_names(self) -> None:
        for option, received, known in (
            ("split", self.split, get_args(Chosen)),
            ("fit", self.fit, (None, *get_args(Fit))),
            ("resize", self.resize, (None, *get_args(Resize))),
            ("inconclusive", self.inconclusive, get_args(Inconclusive)),
            ("missing-classes", self.missing_classes, get_args(MissingClasses)),
            ("weak-reference", self.weak_reference, get_args(WeakReference)),
        ):
            if received not in known:
                raise UnknownNameError.of(option, str(received), [name for name in known if name])
        for range_ in (self.input_range, self.reference_range):
            if range_ is not None:
                check_range(range_)

    def _check_subject(self) -> None:
        if self.candidate is not None:
            if self.bundle or self.reference is None or self.data is None:
                raise UsageError(
                    "A candidate is judged against a reference on data. Received: --candidate "
                    f"{os.fspath(self.candidate)}{' and a bundle' if self.bundle else ''}. "
                    "Pass --reference, --candidate and --data, and no bundle."
                )
            return
        if self.bundle is None:
            raise UsageError(
                "A check needs a bundle or a candidate. Received: neither. "
                "Pass a bundle, or --reference, --candidate and --data."
            )
        for option in ("input_range", "reference_range", "labels", "fit", "resize"):
            if getattr(self, option) is not None:
                raise UsageError(
                    f"--{option.replace('_', '-')} applies to --candidate only; a bundle has its own setting. "
                    "Received: no candidate. Leave it out."
                )

    @property
    def subject(self) -> str:
        """The path of the bundle or candidate, as given by the user."""
        return os.fspath(self.candidate or self.bundle or "")


def with_thresholds(found: Judgement, table: PixelTable, config: CheckConfig) -> Judgement:
    """Fails the artifacts that do not meet the thresholds; the others are unchanged.

    Args:
        found: The verdicts of the gate.
        table: The images they were judged on.
        config: The requirements on every artifact.
    """
    if config.agreement is None and config.worst_class is None:
        return found
    right = found.reference.argmax(axis=1) == table.truth
    artifacts = {}
    for name, one in found.report.artifacts.items():
        right_now = found.scores[name].argmax(axis=1) == table.truth
        unmet = _unmet(one, right, right_now, table.truth, table.images.labels, config)
        if unmet:
            one = one.failing("; ".join(unmet))
        artifacts[name] = one
    return replace(found, report=found.report.with_artifacts(artifacts))


def _unmet(
    report: ArtifactReport,
    right: BoolArray,
    right_now: BoolArray,
    truth: IntArray,
    labels: tuple[str, ...],
    config: CheckConfig,
) -> list[str]:
    unmet = []
    if config.agreement is not None and report.agreement < config.agreement:
        unmet.append(agreement_text(report.agreement, config.agreement))
    if config.worst_class is not None:
        worse = []
        for index in np.unique(truth):
            chosen = truth == index
            lost = int(np.sum(right & ~right_now & chosen))
            won = int(np.sum(~right & right_now & chosen))
            n = int(chosen.sum())
            if lost - won <= config.worst_class * n:
                # The bound never exceeds the observed drop, so most of a thousand classes take no time.
                continue
            upper = paired_interval(lost, won, n)[1]
            if upper < -config.worst_class:
                worse.append((upper, f"{labels[index]} (at least {-100 * upper:.2f})"))
        if worse:
            named = ", ".join(text for _, text in sorted(worse)[:3])
            more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
            unmet.append(f"classes lost more than {100 * config.worst_class:g} points: {named}{more}")
    return unmet
