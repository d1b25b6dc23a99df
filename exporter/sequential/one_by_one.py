"""Judges artifacts image by image, and reads, decodes and scores no image that is not needed.

::

    until every artifact is decided, or there are no more images:
        decode the next 32, score them with the full model
        each undecided artifact scores them one by one, and stops at the first that decides;
        the artifacts run side by side

An artifact is decided where the sequential gate says so (:mod:`exporter.statistics.sequential_gate`), or
where a float export's score differs from the full model's, which fails it whatever follows. Each
record is about the images up to its own stop, so the artifacts are not compared with each other: no parity, no
Pareto set, no table of classes.

Whether the full model is better than guessing is asked where the check stops. If its few images leave that open, the
full model scores all the others before it is called weak; the first of these two looks takes a p-value of
:data:`~exporter.reference.usage_check.CLEARLY_RIGHT`, so that both together err hardly more often than the second.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from edge_runtime.bundle.labels import check_count
from edge_runtime.common.cores import cores
from edge_runtime.common.errors import DataError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines import Engine
from edge_runtime.engines.result import Float32Array
from exporter.evidence.classes import MissingClasses, check_classes
from exporter.formats.onnx_run import cpu_report
from exporter.judge.judge_artifacts import Judgement
from exporter.judge.one_artifact import artifact_report, reference_report
from exporter.judge.run_artifacts import check_numbers, open_engines, skipped_artifacts
from exporter.judge.verdict import CheckReport
from exporter.reference.reference_check import standing
from exporter.reference.usage_check import CLEARLY_RIGHT, ReferenceUse, WeakReference, settle_reference
from exporter.source.candidate import Candidate
from exporter.source.images import GrowingTable, PixelTable, set_sha256
from exporter.source.scoring import Scorer, latencies_ms, share_passed_on
from exporter.statistics.comparison import EXACT_DP, compare
from exporter.statistics.gate import overall
from exporter.statistics.sequential_gate import sequential_gate, verdict_at

BLOCK = 32
"""Images that are decoded and scored by the full model together."""


@dataclass
class _Walk:
    """One artifact on its way through the images."""

    candidate: Candidate
    engine: Engine
    margin: float
    scores: list[Float32Array] = field(default_factory=list)
    lost: int = 0
    won: int = 0
    decided: bool = False

    def see(self, image: Float32Array, truth: int, pixels: np.ndarray) -> None:
        """Scores the next image.

        Args:
            image: The full model's scores of it, float32 ``[classes]``.
            truth: Its true class.
            pixels: uint8 ``[height, width, channels]``.
        """
        # A copy: an engine may write its next answer to the same place.
        scores = np.array(self.engine.run(np.asarray(pixels)))
        self.scores.append(scores)
        right, right_now = int(image.argmax()) == truth, int(scores.argmax()) == truth
        self.lost += right and not right_now
        self.won += right_now and not right
        differs = self.candidate.exact and float(np.max(np.abs(scores - image))) > EXACT_DP
        verdict = verdict_at(self.lost, self.won, len(self.scores), self.margin)
        self.decided = differs or verdict != "inconclusive"


def judge_one_by_one(
    candidates: list[Candidate],
    scorer: Scorer,
    growing: GrowingTable,
    use: ReferenceUse,
    *,
    file: str,
    sha256: str,
    margin: float,
    threads: int,
    missing_classes: MissingClasses,
    weak_reference: WeakReference,
    progress: Progress = no_progress,
) -> Judgement:
    """Judges artifacts, each on as few images as it takes.

    Args:
        candidates: The artifacts.
        scorer: Scores with the full model.
        growing: The images, in a random order; none of them decoded yet.
        use: How the full model is used; the order of its classes must be known.
        file: The full model's file, for the record.
        sha256: Its hash, for the record.
        margin: Largest top-1 drop that passes, in fractions of 1.
        threads: Threads per inference.
        missing_classes: How to treat a class without images in the whole set.
        weak_reference: What to do with a full model at chance.
        progress: Progress callback.

    Returns:
        A judgement whose scores are those of the images that each artifact saw.

    Raises:
        DataError: A class has no images, too few images decode, or the full model is at chance.
        EnvironmentMissingError: No installed engine can run any of them.
        ModelFileError: A model does not load, has other shapes, or returns NaN or infinity.
    """
    absent = check_classes(growing.images, missing_classes)
    judged = [one for one in candidates if not one.unusable]
    blocks = [_block(growing, scorer)]
    first = growing.seen()
    classes = blocks[0].shape[1]
    check_count(growing.images.labels, classes)
    with (
        open_engines(judged, threads, first.pixels.shape[1:], classes) as engines,
        ThreadPoolExecutor(max(1, cores() // threads)) as pool,
    ):
        walks = [_Walk(one, engines[one.name], margin) for one in judged]
        start = 0
        while True:
            table = growing.seen()
            _advance(walks, blocks[-1], table, start, pool)
            start = len(table.truth)
            open_ = [walk.candidate.name for walk in walks if not walk.decided]
            progress(f"checking {', '.join(open_) or 'done'}", start, len(growing.images))
            if not open_ or growing.finished:
                break
            blocks.append(_block(growing, scorer))
        used = max(len(walk.scores) for walk in walks)
        scored = np.concatenate(blocks)
        check_numbers(scored, "the full model", file, table)
        _settle(scored, growing, scorer, use, weak_reference, progress)
        reference, table = scored[:used], growing.seen(used)
        passed_on = {name: share_passed_on(engine) for name, engine in engines.items()}
        latency = latencies_ms(engines, table.pixels)
        scores, reports = {}, {}
        for walk in walks:
            name, n = walk.candidate.name, len(walk.scores)
            scores[name] = np.stack(walk.scores)
            own = growing.seen(n)
            check_numbers(scores[name], "an artifact", name, own)
            reports[name] = artifact_report(
                walk.candidate,
                walk.engine.name,
                scores[name],
                own,
                partial(
                    compare, reference[:n], truth=own.truth, labels=own.images.labels, margin=margin,
                    gate=sequential_gate,
                ),
                latency_ms=latency[name],
                passed_on=passed_on[name],
                threads=threads,
                progress=progress,
            )  # fmt: skip
    report = CheckReport(
        verdict=overall([found.verdict for found in reports.values()]),
        margin=margin,
        n=used,
        data=table.images.source,
        data_sha256=set_sha256(table.images),
        reference=reference_report(reference, table, file, sha256),
        artifacts=reports,
        skipped=skipped_artifacts(candidates, table),
        missing_classes=absent,
        unreadable=table.unreadable,
        cpu=cpu_report(),
    )
    return Judgement(report, reference, scores)


def _block(growing: GrowingTable, scorer: Scorer) -> Float32Array:
    """The full model's scores of the next images that decode, at least one.

    Raises:
        DataError: No more images decode, and none did before.
    """
    pixels = growing.grow(BLOCK)
    while not len(pixels) and not growing.finished:
        pixels = growing.grow(BLOCK)
    if not len(pixels) and not len(growing.seen().truth):
        raise DataError(
            f"A check needs images that can be read. Received: none in {growing.images.source}. Check the files."
        )
    return scorer(pixels)


def _advance(
    walks: list[_Walk], scores: Float32Array, table: PixelTable, start: int, pool: ThreadPoolExecutor
) -> None:
    """Shows the images from ``start`` on to every artifact that is not decided: artifacts side by side."""
    stopped = threading.Event()

    def advance(walk: _Walk) -> None:
        for place, image in enumerate(scores, start=start):
            if walk.decided or stopped.is_set():
                break
            walk.see(image, int(table.truth[place]), table.pixels[place])

    try:
        for _ in pool.map(advance, walks):
            # Raises what the first of them met.
            pass
    finally:
        # On Ctrl-C, and where one of them failed: the others end with the image at hand.
        stopped.set()


def _settle(
    scored: Float32Array,
    growing: GrowingTable,
    scorer: Scorer,
    use: ReferenceUse,
    weak: WeakReference,
    progress: Progress,
) -> None:
    """Refuses a full model at chance, after it has seen all images if those so far leave it open."""
    if weak == "allow" or standing(scored, growing.seen().truth).p_value <= CLEARLY_RIGHT:
        return
    rest = growing.grow(len(growing.images), progress=progress)
    others = scorer(rest, progress, "scoring with the full model")
    settle_reference(np.concatenate([scored, others]), growing.seen(), use, weak, progress)
