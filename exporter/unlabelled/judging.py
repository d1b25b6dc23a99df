"""Judges artifacts on photos without labels: every model scores all of them, and answers settle what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_runtime.bundle.labels import check_count
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress
from edge_runtime.engines.result import Float32Array
from exporter.formats.onnx_run import cpu_report
from exporter.judge.cpu_kernels import examine_kernels, verdict_on_all_cpus
from exporter.judge.run_artifacts import Ran, check_numbers, measured_half, running
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable, set_sha256
from exporter.statistics.comparison import EXACT_DP, exact_reason
from exporter.statistics.drift import agreement, floored_kl
from exporter.statistics.gate import GateVerdict, overall
from exporter.statistics.row_blocks import largest_changes
from exporter.unlabelled.answers import Given
from exporter.unlabelled.differing import Answers, Photo, differing_photos
from exporter.unlabelled.record import LabelCounts, UnlabelledArtifact, UnlabelledReference, UnlabelledReport
from exporter.unlabelled.tally import tally

Asked = Callable[[Sequence[Photo]], Given]
"""Gives the answers about photos, once it is known which ones differ."""


@dataclass(frozen=True)
class UnlabelledJudgement:
    """A report with what it is based on.

    Attributes:
        report: The result.
        photos: The photos on which an artifact and the full model differ.
        answers: What every model answers.
        given: What a person answered.
    """

    report: UnlabelledReport
    photos: tuple[Photo, ...]
    answers: Answers
    given: Given


def judge_unlabelled(
    candidates: list[Candidate],
    reference: Float32Array,
    table: PixelTable,
    labels: Sequence[str],
    asked: Asked,
    *,
    file: str,
    sha256: str,
    margin: float,
    threads: int,
    progress: Progress,
) -> UnlabelledJudgement:
    """Judges artifacts.

    Args:
        candidates: The artifacts.
        reference: The full model's scores of the table, float32 ``[n, classes]``.
        table: The photos; their classes mean nothing.
        labels: The class names, in the order of the outputs.
        asked: Gives the answers of a person.
        file: The full model's file, for the record.
        sha256: Its hash, for the record.
        margin: Largest top-1 drop that passes, in fractions of 1.
        threads: Threads per inference.
        progress: Progress callback.

    Raises:
        BundleError: The labels do not match the full model's outputs.
        DataError: The answers cannot be used.
        EnvironmentMissingError: No installed engine can run any of the artifacts.
        ModelFileError: A model does not load, takes other images, has other classes or returns NaN or infinity.
    """
    check_count(tuple(labels), reference.shape[1])
    check_numbers(reference, "the full model", file, table)
    with running(candidates, table, reference.shape[1], threads=threads, progress=progress) as ran:
        answers = Answers.of(reference, ran.scores)
        photos = differing_photos(answers, table)
        given = asked(photos)
        artifacts = {
            one.name: _judged(one, ran, reference, table, photos, given, margin, threads, progress)
            for one in ran.judged
        }
    told = [given.answers.get(photo.sha256) for photo in photos]
    report = UnlabelledReport(
        verdict=overall([found.verdict for found in artifacts.values()]),
        margin=margin,
        n=len(reference),
        data=table.images.source,
        data_sha256=set_sha256(table.images),
        labels=LabelCounts(
            differing=len(photos),
            answered=sum(answer is not None and answer != "(cannot tell)" for answer in told),
            cannot_tell=told.count("(cannot tell)"),
            unused=given.unused,
        ),
        reference=UnlabelledReference(file, sha256),
        artifacts=artifacts,
        skipped=dict(ran.skipped),
        unreadable=table.unreadable,
        cpu=cpu_report(),
    )
    return UnlabelledJudgement(report, photos, answers, given)


def _judged(
    candidate: Candidate,
    ran: Ran,
    reference: Float32Array,
    table: PixelTable,
    photos: Sequence[Photo],
    given: Given,
    margin: float,
    threads: int,
    progress: Progress,
) -> UnlabelledArtifact:
    name, full = candidate.name, reference.argmax(axis=1)
    scores = ran.scores[name]
    found = tally(full, scores.argmax(axis=1), photos, given.answers, margin=margin)

    def on_other_kernels(exact: Float32Array) -> tuple[GateVerdict, float | None]:
        # Photos on which only they differ were not asked about, and stay open.
        other = exact.argmax(axis=1)
        counted = tally(full, other, photos, given.answers, margin=margin)
        missed = int(np.sum(other != full)) - counted.answered - counted.unanswered
        return counted.with_open(missed).verdict, None

    kernels = examine_kernels(
        candidate, table.pixels, scores, on_other_kernels, threads=threads, progress=progress
    )
    with quiet():
        half, unseen = measured_half(candidate, table)
    verdict, reason = verdict_on_all_cpus(found.verdict, found.reason(), kernels)
    largest = float(largest_changes(scores, reference).max())
    settles = verdict == found.verdict
    one = UnlabelledArtifact(
        verdict=verdict,
        reason=reason,
        differing=found.answered + found.unanswered,
        answered=found.answered,
        lost=found.lost,
        won=found.won,
        unanswered=found.unanswered,
        answers_at_least=found.at_least() if settles else None,
        answers_needed=found.about() if settles else None,
        agreement=agreement(reference, scores),
        kl=floored_kl(reference, scores),
        max_abs_dp=largest,
        bytes=candidate.bytes,
        latency_ms=ran.latency_ms[name],
        engine=ran.engines[name].name,
        kernels=kernels,
        half=half,
        missing=unseen,
    )
    if candidate.exact and largest > EXACT_DP:
        one = one.failing(exact_reason(largest))
    return one.failing(half.text) if half is not None and half.overflows else one
