"""A made-up check on photos without labels, for trials of the page that asks: answers are given, photos are drawn."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.browsers.image_kinds import drawn
from edge_runtime.dataset import ImageSet, Item
from exporter.source.images import PixelTable
from exporter.statistics.gate import overall
from exporter.unlabelled.answers import Answer, Given
from exporter.unlabelled.differing import Answers, differing_photos
from exporter.unlabelled.judging import UnlabelledJudgement
from exporter.unlabelled.record import LabelCounts, UnlabelledArtifact, UnlabelledReference, UnlabelledReport
from exporter.unlabelled.tally import tally


def made_table(contents: Sequence[int], labels: Sequence[str]) -> PixelTable:
    """Photos by number; the same number is the same photo in another file.

    Args:
        contents: The number of each photo.
        labels: Class names.
    """
    items = tuple(
        Item(f"IMG_{row:04}.jpg", 0, "val", hashlib.sha256(f"{row} {content}".encode()).hexdigest())
        for row, content in enumerate(contents)
    )
    pixels = np.zeros((len(contents), 4, 4, 3), np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = np.array(contents) % 256, np.array(contents) // 256

    def read(item: Item) -> bytes:
        size = 300 + int(item.sha256[:2], 16)
        stored = io.BytesIO()
        drawn(size, 400).save(stored, "JPEG")
        return stored.getvalue()

    images = ImageSet("photos", tuple(labels), items, reader=read)
    return PixelTable(pixels, np.zeros(len(contents), np.int64), images)


def made_judgement(
    table: PixelTable,
    answers: Answers,
    given: Mapping[str, Answer],
    margin: float,
) -> UnlabelledJudgement:
    """The judgement on given answers of models and of a person.

    Args:
        table: The photos.
        answers: What the models answer.
        given: What the person answers, by the hash of a photo.
        margin: Largest drop that passes, in fractions of 1.
    """
    photos = differing_photos(answers, table)
    artifacts = {}
    for name, own in answers.artifacts.items():
        found = tally(answers.full, own, photos, given, margin=margin)
        artifacts[name] = UnlabelledArtifact(
            verdict=found.verdict, reason=found.reason(), differing=found.answered + found.unanswered,
            answered=found.answered, lost=found.lost, won=found.won, unanswered=found.unanswered,
            answers_at_least=found.at_least(), answers_needed=found.about(),
            agreement=float(np.mean(own == answers.full)), kl=0.0, max_abs_dp=0.5, bytes=1000, latency_ms=1.0,
            engine="litert",
        )  # fmt: skip
    report = UnlabelledReport(
        verdict=overall([one.verdict for one in artifacts.values()]), margin=margin, n=len(answers.full),
        data="photos", data_sha256="0" * 64, labels=LabelCounts(len(photos), len(given), 0, 0),
        reference=UnlabelledReference("model.keras", "1" * 64), artifacts=artifacts,
    )  # fmt: skip
    return UnlabelledJudgement(report, photos, answers, Given(given))
