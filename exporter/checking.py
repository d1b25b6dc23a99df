"""Checks a bundle, or any pair of model files, on labelled images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.rules.known_score import KnownScorer
from exporter.bundle.golden_files import replay_golden
from exporter.check_subject import ReadyModel, Subject, subject_of
from exporter.config.check_config import CheckConfig, with_thresholds
from exporter.evidence.classes import check_classes
from exporter.evidence.record import DiagnosticOptions
from exporter.evidence.rules_record import RulesTrial
from exporter.judge.baseline import Outcomes, outcomes_of
from exporter.judge.judge_artifacts import Judgement, judge
from exporter.judge.run_artifacts import check_numbers
from exporter.judge.saved_report import saved_report
from exporter.judge.sequential_record import SequentialRun
from exporter.judge.verdict import CheckReport
from exporter.reference.resize_choice import resize_notes
from exporter.reference.usage_check import settle_reference
from exporter.report.report import render_report
from exporter.rules.fitting import try_rules
from exporter.rules.known import Observed, how_known
from exporter.sequential.one_by_one import judge_one_by_one
from exporter.sequential.planning import sequential_run
from exporter.sequential.seeded_order import in_seeded_order
from exporter.source.images import GrowingTable, PixelTable
from exporter.source.scoring import HERE, Scoring
from exporter.statistics.gate import fixed_gate
from exporter.statistics.sequential_gate import sequential_gate
from exporter.unlabelled.photos import is_unlabelled
from exporter.workers.team import team


@dataclass(frozen=True)
class CheckResult:
    """The result of a check.

    Attributes:
        report: The numbers.
        outcomes: Which images each artifact classified correctly, for a baseline; None if a sequential check
            stopped before the last image.
        page: The report as an HTML page; None if not requested.
    """

    report: CheckReport
    outcomes: Outcomes | None = None
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
    baseline: bool = False,
    progress: Progress | None = None,
) -> CheckResult:
    """Like :func:`check`, with the outcome of each image.

    Args:
        config: What to check, and the requirements.
        page: Render the HTML page, which takes about as long as the check of a small model.
        diagnostics: Measure what takes seconds and does not affect the verdict; None follows ``config.quick``.
        baseline: The outcomes of all images are needed, so a sequential check scores all.
        progress: Progress callback.

    Raises:
        SnapshipError: The bundle, a model or the data is invalid.
    """
    progress = progress or no_progress
    if config.data is not None and is_unlabelled(config.data):
        raise UsageError(
            f"check needs labelled images. Received: photos without labels in {os.fspath(config.data)}. "
            "Call check_unlabelled, or pass images in class folders."
        )
    if diagnostics is None:
        diagnostics = not config.quick
    with closing(subject_of(config, progress)) as subject:
        if not config.sequential:
            return _judged(subject, config, page, diagnostics, progress)
        run = sequential_run(
            subject.images, config, page=page, baseline=baseline, open_order=subject.full.use.open_order
        )
        subject = replace(subject, images=in_seeded_order(subject.images, run.seed))
        if run.whole:
            return _judged(subject, config, page, diagnostics, progress, run)
        return _one_by_one(subject, config, run, progress)


def _judged(
    subject: Subject,
    config: CheckConfig,
    page: bool,
    diagnostics: bool,
    progress: Progress,
    run: SequentialRun | None = None,
) -> CheckResult:
    """Judges all images: together, or in their order if it is a sequential check."""
    full, notes = subject.full, subject.notes
    with ExitStack() as stack:
        scoring = HERE
        if config.on_workers:
            # Before the images are there: the workers open their models while this process decodes.
            scoring, full = stack.enter_context(_on_workers(subject, config, progress))
        table: PixelTable = stack.enter_context(subject.decoded(progress))
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
            gate=fixed_gate if run is None else sequential_gate,
            scoring=scoring,
            progress=progress,
        )
        report = _finished(found.report, replace(subject, notes=notes), config, run, progress)
        if subject.bundle is not None:
            report = report.with_trials(_trials(subject, subject.bundle, found, table, scoring, progress))
        found = with_thresholds(replace(found, report=report), table, config)
        text = render_report(subject.name, found, table) if page else None
        return CheckResult(found.report, outcomes_of(found, table), text)


@contextmanager
def _on_workers(
    subject: Subject, config: CheckConfig, progress: Progress
) -> Iterator[tuple[Scoring, ReadyModel]]:
    """Workers that score, and the full model scored by them."""
    progress("starting workers", 0, 0)
    full = subject.full
    with team(
        subject.models, full.scorer, subject.candidates, full.input.shape,
        threads=config.threads, workers=config.workers, ray=config.ray,
    ) as workers:  # fmt: skip
        yield workers, replace(full, scorer=workers.full())


def _trials(
    subject: Subject,
    bundle: Bundle,
    found: Judgement,
    table: PixelTable,
    scoring: Scoring,
    progress: Progress,
) -> dict[str, RulesTrial]:
    """How the rules of the bundle's judged artifacts do."""
    candidates = {one.name: one for one in subject.candidates}
    trials = {}
    for entry in bundle.entries:
        rules, scores = entry.rules, found.scores.get(entry.kind)
        if rules is None or scores is None:
            continue
        known = None
        if rules.known is not None:
            seen = Observed(scores)
            if rules.known.output:
                # Once more through the file: what was judged are its scores alone.
                with quiet():
                    engine = candidates[entry.kind].open(1)
                with closing(engine):
                    step = f"looking at images with {entry.kind}"
                    scorer_of = scoring.output(candidates[entry.kind], engine, rules.known.output)
                    features = scorer_of(table.pixels, progress, step)
                seen = Observed(scores, features)
            scorer = KnownScorer.of(rules.known, bundle.rule_file(entry))
            known = how_known(scorer, seen) >= rules.known.threshold
        trials[entry.kind] = try_rules(scores, table.truth, rules, known)
    return trials


def _one_by_one(subject: Subject, config: CheckConfig, run: SequentialRun, progress: Progress) -> CheckResult:
    """Judges image by image, until every artifact is decided."""
    full = subject.full
    with closing(GrowingTable(subject.images, full.input)) as growing:
        found = judge_one_by_one(
            subject.candidates,
            full.scorer,
            growing,
            full.use,
            file=full.file.as_posix(),
            sha256=full.sha256,
            margin=config.margin,
            threads=config.threads,
            missing_classes=config.missing_classes,
            weak_reference=config.weak_reference,
            progress=progress,
        )
    return CheckResult(_finished(found.report, subject, config, run, progress))


def _finished(
    report: CheckReport,
    subject: Subject,
    config: CheckConfig,
    run: SequentialRun | None,
    progress: Progress,
) -> CheckReport:
    """Adds what is not about the images: notes, the golden examples, and what a bundle lacks."""
    report = msgspec.structs.replace(report.with_notes(subject.notes), sequential=run)
    bundle = subject.bundle
    if bundle is None:
        return report
    progress("replaying golden examples", 0, 0)
    saved = saved_report(bundle)
    report = report.with_golden(replay_golden(bundle, threads=config.threads))
    return report.with_unmade({} if saved is None else saved.unmade)
