"""The parts that the report of a run and the page of an evaluation have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.image.input_spec import InputSpec
from trainer.analysis.explaining import Subject, attempt, explain
from trainer.analysis.layers import first_filters
from trainer.analysis.notable_images import (
    cases,
    closest_calls,
    filter_sheet,
    surest_mistakes,
    surest_right,
    thumbnail,
)
from trainer.analysis.plots import reliability_plot, robustness_plot
from trainer.analysis.robustness import CORRUPTIONS, Robustness, corrupted, spread_over_classes
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.metrics import ScoredImages

MATRIX_CLASSES = 20
"""Maximum number of classes for which the whole confusion matrix is shown."""

TABLE_CLASSES = 60
"""Maximum number of classes listed; with more, those with the lowest F1 are."""

CASES = 12
"""Number of most confident mistakes, and of closest calls, that are shown."""

EXPLAINED = 3
"""Number of mistakes, and of correct answers, that are explained by default."""

NO_MODEL = (
    "Not available. A bundle's model files output scores only: filters, feature maps and Grad-CAM require "
    "the run folder. Run: snapship evaluate RUN DATA --report FILE.html"
)


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes, and how many images of the first were classified as the second."""

    truth: str
    answer: str
    count: int
    share: float


def common_parts(
    scored: ScoredImages,
    evaluation: Evaluation,
    robustness: Robustness | None,
    no_robustness: str,
    subjects: Sequence[Subject] = (),
    seconds: float | None = None,
) -> dict[str, Any]:
    """Returns everything that the templates' shared blocks show.

    Args:
        scored: Images, scores and, for explanations, the model.
        evaluation: The metrics.
        robustness: Accuracy on corrupted images; None if not measured.
        no_robustness: Why robustness was not measured.
        subjects: Images to explain; if empty, some are chosen.
        seconds: Time limit for explaining; None for no limit. One image is always explained.
    """
    mistakes = surest_mistakes(scored.scores, scored.targets, CASES)
    with_images = [entry for entry in evaluation.per_class if entry.images]
    listed = with_images if len(evaluation.per_class) > TABLE_CLASSES else list(evaluation.per_class)
    if len(listed) > TABLE_CLASSES:
        listed = sorted(listed, key=lambda entry: (entry.f1 or 0.0, entry.label))[:TABLE_CLASSES]
    whole = len(scored.labels) <= MATRIX_CLASSES
    parts = {
        "evaluation": evaluation,
        "labels": scored.labels,
        "classes": listed,
        "class_count": len(evaluation.per_class),
        "matrix": _matrix(evaluation) if whole else None,
        "confused": _confused(evaluation, scored.labels),
        "calibration": reliability_plot(evaluation.reliability),
        "mistakes": cases(scored, mistakes),
        "mistake_count": int((scored.scores.argmax(axis=1) != scored.targets).sum()),
        "closest": cases(scored, closest_calls(scored.scores, CASES)),
        "robustness": robustness,
        "robustness_plot": robustness_plot(robustness) if robustness else "",
        "examples": _examples(scored, robustness) if robustness else [],
        "no_robustness": no_robustness,
    }
    filters, explanations, notes = None, None, [NO_MODEL]
    if scored.model is not None:
        filters, no_filters = attempt("Filters", lambda: first_filters(scored.model))
        chosen = subjects or _chosen(scored, mistakes)
        explanations = explain(scored.model, chosen, scored.labels, seconds)
        notes = [line for line in (no_filters, *explanations.missing) if line]
    return parts | {
        "filters": filters,
        "filter_sheet": filter_sheet(filters) if filters else "",
        "explanations": explanations,
        "inside_notes": notes,
    }


def key_figures(
    evaluation: Evaluation, spec: InputSpec, images: tuple[str, str], prefix: str = ""
) -> list[tuple[str, str]]:
    """Returns the figures at the top of a page, with their captions.

    Args:
        evaluation: The metrics.
        spec: The model's input.
        images: Caption and number of images.
        prefix: Prefix of the captions of accuracy and loss.
    """
    facts = [(f"{prefix}top-1", f"{evaluation.top1:.1%}")]
    if len(evaluation.per_class) > 5:
        facts.append((f"{prefix}top-5", f"{evaluation.top5:.1%}"))
    return [
        *facts,
        ("macro F1", f"{evaluation.macro.f1:.1%}"),
        (f"{prefix}loss", f"{evaluation.loss:.3f}"),
        ("calibration error", f"{evaluation.ece:.1%}"),
        images,
        ("classes", str(len(evaluation.per_class))),
        ("input", f"{spec.width}x{spec.height}x{spec.channels}, {spec.fit}"),
    ]


def _chosen(scored: ScoredImages, mistakes: Any) -> list[Subject]:
    """Alternates mistakes and correct answers, so that a time limit leaves some of both."""
    right = surest_right(scored.scores, scored.targets, EXPLAINED)
    wrong = mistakes[:EXPLAINED]
    places = [int(group[turn]) for turn in range(EXPLAINED) for group in (wrong, right) if turn < len(group)]
    return [
        Subject(scored.pixels(place), scored.refs[place], scored.scores[place], int(scored.targets[place]))
        for place in places
    ]


def _examples(scored: ScoredImages, found: Robustness) -> list[dict[str, str]]:
    """One image under the strongest measured corruption of every family."""
    place = int(spread_over_classes(scored.targets, 1)[0])
    image, worst = scored.pixels(place), max(found.severities)
    return [
        {
            "family": family.name,
            "amount": family.amount_text(worst),
            "image": thumbnail(corrupted(image, family, worst, place)),
        }
        for family in CORRUPTIONS
    ]


def _matrix(evaluation: Evaluation) -> list[list[tuple[int, float]]]:
    """Counts with their share of the row, which sets the colour of the cell."""
    return [[(cell, cell / max(1, sum(row))) for cell in row] for row in evaluation.confusion]


def _confused(evaluation: Evaluation, labels: Sequence[str]) -> list[ConfusedPair]:
    counts = np.array(evaluation.confusion)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:10]
    pairs = [(int(place) // len(labels), int(place) % len(labels)) for place in order]
    return [
        ConfusedPair(labels[truth], labels[answer], int(counts[truth, answer]),
                 float(counts[truth, answer] / totals[truth]))
        for truth, answer in pairs if counts[truth, answer]
    ]  # fmt: skip
