"""``report.html``: what a training run came to, one file that opens offline."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.errors import EnvironmentMissingError
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.cache import Pixels
from trainer.evaluation import Evaluation
from trainer.history import EpochRow
from trainer.plots import curve
from trainer.run import REPORT_FILE, RunRecord

MATRIX_CLASSES = 20
"""Up to so many classes the whole confusion matrix is shown, above it the worst pairs."""

MISTAKES = 12
"""Images that are shown of those answered wrong."""

_THUMBNAIL = 144


@dataclass(frozen=True)
class Mistake:
    """One image that was answered wrong: a data URI, names and the score of the wrong class."""

    image: str
    ref: str
    truth: str
    answer: str
    score: float


@dataclass(frozen=True)
class Confused:
    """Two classes and how many images of the first were taken for the second."""

    truth: str
    answer: str
    count: int
    share: float


def check_report_packages() -> None:
    """Says before training, not after it, that the report cannot be written.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    for package in ("jinja2", "matplotlib"):
        if find_spec(package) is None:
            raise EnvironmentMissingError.of_extra("The training report", package, "train")


def write_report(
    folder: Path,
    record: RunRecord,
    rows: Sequence[EpochRow],
    evaluation: Evaluation,
    scores: Float32Array,
    pixels: Pixels,
) -> None:
    """Writes ``report.html``.

    Args:
        folder: The run folder.
        record: Its ``run.json``.
        rows: Its history.
        evaluation: The model on val.
        scores: float32 ``[val images, classes]``.
        pixels: All images of the run.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    check_report_packages()
    import jinja2

    source = (Path(__file__).parent / "templates" / "report.html").read_text("utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(source)
    text = template.render(
        record=record,
        evaluation=evaluation,
        counts=pixels.images.counts(),
        skipped=pixels.images.skipped,
        facts=_facts(record, evaluation),
        curves=[
            curve(rows, "accuracy", "Accuracy"),
            curve(rows, "loss", "Loss (nats)"),
        ],
        matrix=_matrix(evaluation) if len(record.labels) <= MATRIX_CLASSES else None,
        confused=_confused(evaluation, record.labels),
        mistakes=_mistakes(scores, pixels, record.labels),
        config=_shown(record.config),
    )
    (folder / REPORT_FILE).write_text(text, "utf-8")


def _facts(record: RunRecord, evaluation: Evaluation) -> list[tuple[str, str]]:
    """The figures on top, with their captions."""
    spec = record.input
    facts = [("val top-1", f"{evaluation.top1:.1%}")]
    if len(record.labels) > 5:
        facts.append(("val top-5", f"{evaluation.top5:.1%}"))
    return [
        *facts,
        ("val loss", f"{evaluation.loss:.3f}"),
        ("calibration error", f"{evaluation.ece:.1%}"),
        ("train / val images", f"{record.metrics.train_images:,} / {evaluation.n:,}"),
        ("classes", str(len(record.labels))),
        ("input", f"{spec.width}x{spec.height}x{spec.channels}, {spec.fit}"),
        ("epochs", str(record.metrics.epochs)),
        ("time", f"{record.metrics.seconds:.0f} s"),
    ]


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what was left open, and its phases as text."""
    shown = {name: value for name, value in config.items() if value is not None}
    shown["phases"] = "; ".join(
        f"{step['name']}: up to {step['epochs']} epochs, patience {step['patience']}, "
        f"learning rate {step['learning_rate']:g}" for step in config["phases"]
    )  # fmt: skip
    return shown


def _matrix(evaluation: Evaluation) -> list[list[tuple[int, float]]]:
    """Counts with their share of the row, which colours the cell."""
    return [[(cell, cell / max(1, sum(row))) for cell in row] for row in evaluation.confusion]


def _confused(evaluation: Evaluation, labels: Sequence[str]) -> list[Confused]:
    counts = np.array(evaluation.confusion)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:10]
    pairs = [(int(place) // len(labels), int(place) % len(labels)) for place in order]
    return [
        Confused(labels[truth], labels[answer], int(counts[truth, answer]),
                 float(counts[truth, answer] / totals[truth]))
        for truth, answer in pairs if counts[truth, answer]
    ]  # fmt: skip


def _mistakes(scores: Float32Array, pixels: Pixels, labels: Sequence[str]) -> list[Mistake]:
    """Wrong answers, the surest first."""
    val = pixels.only("val")
    targets, answers = pixels.labels[val], scores.argmax(axis=1)
    wrong = np.flatnonzero(targets != answers)
    worst = wrong[np.argsort(-scores[wrong, answers[wrong]], kind="stable")][:MISTAKES]
    return [
        Mistake(
            image=_data_uri(pixels.array[val[place]]),
            ref=pixels.images.items[val[place]].ref,
            truth=labels[targets[place]],
            answer=labels[answers[place]],
            score=float(scores[place, answers[place]]),
        )
        for place in worst
    ]


def _data_uri(image: UInt8Array) -> str:
    """A small picture as text: PNG enlarged without blur for tiny inputs, else JPEG."""
    picture: Any = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    tiny = max(picture.size) < _THUMBNAIL // 2
    if tiny:
        factor = _THUMBNAIL // max(picture.size)
        size = (picture.width * factor, picture.height * factor)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    else:
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR)
    kind = "PNG" if tiny else "JPEG"
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
