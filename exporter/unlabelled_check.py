"""Checks a bundle, or a pair of model files, on photos without labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.common.errors import UsageError
from edge_runtime.common.progress import Progress, no_progress
from exporter.bundle.golden_files import replay_golden
from exporter.check_subject import Subject, subject_of
from exporter.config.check_config import CheckConfig
from exporter.judge.saved_report import saved_report
from exporter.unlabelled.answers import Given, check_words, read_answers
from exporter.unlabelled.differing import Photo
from exporter.unlabelled.judging import judge_unlabelled
from exporter.unlabelled.page import ask_page, check_ask, write_page
from exporter.unlabelled.photos import is_unlabelled, not_unlabelled
from exporter.unlabelled.record import UnlabelledReport

_NEED_LABELS = {
    "worst_class": None,
    "missing_classes": "error",
    "weak_reference": "error",
    "sequential": False,
    "workers": None,
    "ray": None,
}
"""Settings that are about labels, with the value that asks for nothing."""


@dataclass(frozen=True)
class UnlabelledResult:
    """The result of a check on photos without labels.

    Attributes:
        report: The numbers.
        page: The page that asks; None if not requested, or if no answer can change a verdict.
        asked: Photos on the page that have no answer.
    """

    report: UnlabelledReport
    page: Path | None = None
    asked: int = 0


def check_unlabelled(
    bundle: str | os.PathLike[str] | CheckConfig,
    *,
    answers: str | os.PathLike[str] | None = None,
    ask: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> UnlabelledResult:
    """Like :func:`exporter.check`, on photos without labels.

    Args:
        bundle: A folder or zip, or a whole configuration; ``data`` is a folder of photos without sub-folders.
        answers: ``answers.csv`` of a person, about photos on which the models differ.
        ask: Folder for a page that asks about the photos that matter; not the photos' own.
        progress: Progress callback.
        options: Further fields of :class:`exporter.CheckConfig`, in addition to a bundle's path.

    Raises:
        SnapshipError: The bundle, a model, the photos or the answers are invalid, or a setting needs labels.
    """
    progress = progress or no_progress
    config = bundle if isinstance(bundle, CheckConfig) else CheckConfig(bundle, **options)
    if config.data is None or not is_unlabelled(config.data):
        raise not_unlabelled(config.data)
    _refuse_settings(config)
    if ask is not None:
        check_ask(Path(ask), Path(config.data))
    with closing(subject_of(config, progress, labelled=False)) as subject:
        if ask is not None or answers is not None:
            check_words(subject.labels)
        return _judged(subject, config, answers, None if ask is None else Path(ask), progress)


def _refuse_settings(config: CheckConfig) -> None:
    for name, unset in _NEED_LABELS.items():
        if getattr(config, name) != unset:
            raise UsageError(
                f"--{name.replace('_', '-')} needs labelled images. Received: photos without labels in "
                f"{os.fspath(config.data or '')}. Leave it out, or pass images in class folders."
            )
    if config.split == "train":
        raise UsageError(
            f"Photos without labels have no splits. Received: --split train and {os.fspath(config.data or '')}. "
            "Leave it out."
        )


def _judged(
    subject: Subject,
    config: CheckConfig,
    answers: str | os.PathLike[str] | None,
    ask: Path | None,
    progress: Progress,
) -> UnlabelledResult:
    full = subject.full
    with subject.decoded(progress) as table:

        def given(photos: Sequence[Photo]) -> Given:
            if answers is None:
                return Given({})
            return read_answers(answers, photos, table.images, subject.labels)

        # A file that cannot be used is known before the slow part.
        given([])
        scores = full.scorer(table.pixels, progress, "scoring with the full model")
        found = judge_unlabelled(
            subject.candidates,
            scores,
            table,
            subject.labels,
            given,
            file=full.file.as_posix(),
            sha256=full.sha256,
            margin=config.margin,
            threads=config.threads,
            progress=progress,
        )
        report = found.report
        if subject.bundle is not None:
            progress("replaying golden examples", 0, 0)
            saved = saved_report(subject.bundle)
            report = report.with_golden(replay_golden(subject.bundle, threads=config.threads))
            report = report.with_unmade({} if saved is None else saved.unmade)
        if config.agreement is not None:
            report = report.with_agreement(config.agreement)
        report = report.with_notes(subject.notes + _notes(found.given, subject))
        if ask is None:
            return UnlabelledResult(report)
        page = ask_page(subject.name, report, found, table.images, subject.labels)
        if page is None:
            return UnlabelledResult(report)
        return UnlabelledResult(report, write_page(ask, page.html), page.open)


def _notes(given: Given, subject: Subject) -> tuple[str, ...]:
    notes = []
    if given.unused:
        notes.append(f"answers not used: {given.unused}, about photos on which all models agree")
    if given.outdated:
        notes.append(
            f"answers not used: {given.outdated}, (neither) or (both) of other classes than the models name now"
        )
    if subject.bundle is None:
        notes.append(
            "without labels, nothing shows whether the full model is used as it was trained: its pixel range, and "
            "the order of its classes"
        )
    return tuple(notes)
