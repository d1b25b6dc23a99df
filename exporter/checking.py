"""Checks a bundle, or any pair of model files, on labelled images."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from edge_runtime.common.progress import Progress, no_progress
from exporter.bundle.golden_files import replay_golden
from exporter.check_subject import Subject, subject_of
from exporter.config.check_config import CheckConfig, with_thresholds
from exporter.evidence.classes import check_classes
from exporter.evidence.record import DiagnosticOptions
from exporter.judge.baseline import Outcomes, outcomes_of
from exporter.judge.judge_artifacts import Judgement, judge
from exporter.judge.run_artifacts import check_numbers
from exporter.judge.verdict import CheckReport, saved_report
from exporter.reference.resize_choice import resize_notes
from exporter.reference.usage_check import (
    settle_reference,
)
from exporter.report.report import render_report
from exporter.source.images import PixelTable, decode_table


@dataclass(frozen=True)
class CheckResult:
    """The result of a check.

    Attributes:
        report: The numbers.
        outcomes: Which images each artifact classified correctly, for a baseline.
        page: The report as an HTML page; None if not requested.
    """

    report: CheckReport
    outcomes: Outcomes
    page: str | None = None


def check(
    bundle: str | os.PathLike[str] | CheckConfig, *, progress: Progress | None = None, **options: Any
) -> CheckReport:
    """Compares every artifact of a bundle with the full model, or two model files.

    Args:
        bundle: A folder or zip, or a whole configuration.
        progress: Progress callback.
        options: Further fields of :class:`exporter.CheckConfig`, in addition to a bundle's path.

    Returns:
        The report; its ``verdict`` is the worst of the artifacts'.

    Raises:
        SnapshipError: The bundle, a model, the data or a field is invalid.
    """
    config = bundle if isinstance(bundle, CheckConfig) else CheckConfig(bundle, **options)
    return run_check(config, progress=progress).report


def run_check(
    config: CheckConfig,
    *,
    page: bool = False,
    diagnostics: bool | None = None,
    progress: Progress | None = None,
) -> CheckResult:
    """Like :func:`check`, with the outcome of each image.

    Args:
        config: What to check, and the requirements.
        page: Render the HTML page, which takes about as long as the check of a small model.
        diagnostics: Measure what takes seconds and does not affect the verdict; None follows ``config.quick``.
        progress: Progress callback.

    Raises:
        SnapshipError: The bundle, a model or the data is invalid.
    """
    progress = progress or no_progress
    subject = subject_of(config, progress)
    return _judged(subject, config, page, not config.quick if diagnostics is None else diagnostics, progress)


def _judged(
    subject: Subject, config: CheckConfig, page: bool, diagnostics: bool, progress: Progress
) -> CheckResult:
    full, bundle, notes = subject.full, subject.bundle, subject.notes
    with ExitStack() as stack:
        table: PixelTable = stack.enter_context(decode_table(subject.images, full.input, progress=progress))
        # Cheap checks come before scoring.
        check_classes(table.images, config.missing_classes)
        scores = full.scorer(table.pixels, progress, "scoring with the full model")
        check_numbers(scores, "the full model", full.file.as_posix(), table)
        notes += settle_reference(scores, table, full.use, config.weak_reference, progress)
        if not config.quick:
            notes += resize_notes(scores, table, full.input, full.scorer, full.use, progress)
        found: Judgement = judge(
            subject.candidates,
            scores,
            table,
            file=full.file.as_posix(),
            sha256=full.sha256,
            margin=config.margin,
            threads=config.threads,
            diagnostics=None if diagnostics else DiagnosticOptions.quick(),
            missing_classes=config.missing_classes,
            input=full.input,
            progress=progress,
        )
        report = found.report.with_notes(notes)
        if bundle is not None:
            progress("replaying golden examples", 0, 0)
            saved = saved_report(bundle)
            report = report.with_golden(replay_golden(bundle, threads=config.threads))
            report = report.with_unmade({} if saved is None else saved.unmade)
        found = with_thresholds(replace(found, report=report), table, config)
        text = render_report(subject.name, found, table) if page else None
        return CheckResult(found.report, outcomes_of(found, table), text)
