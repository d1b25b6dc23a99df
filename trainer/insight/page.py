"""The parts that the page of a run and the page of a measurement have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.evaluation import Evaluation
from trainer.insight.cases import cases, closest_calls, surest_mistakes, surest_right
from trainer.insight.corruptions import FAMILIES, corrupted
from trainer.insight.explaining import Explanations, Subject, attempt, explain
from trainer.insight.filters import first_filters
from trainer.insight.pictures import filter_sheet, thumbnail
from trainer.insight.robustness import Robustness
from trainer.insight.sampling import spread_over_classes
from trainer.plots import reliability_plot, robustness_plot
from trainer.scored import Scored

MATRIX_CLASSES = 20
"""Up to so many classes the whole confusion matrix is shown, above it the worst pairs."""

TABLE_CLASSES = 60
"""Up to so many classes all have a line, above it those with the lowest F1."""

CASES = 12
"""Images shown of the surest mistakes, and of the closest calls."""

EXPLAINED = 3
"""Mistakes, and right answers, that are explained when nobody chose images."""

NO_MODEL = (
    "Left out. A bundle's model files give scores and no more: filters, feature maps and Grad-CAM need "
    "the run folder. Run: snapship evaluate RUN DATA --report FILE.html"
)


@dataclass(frozen=True)
class Confused:
    """Two classes and how many images of the first were taken for the second."""

    truth: str
    answer: str
    count: int
    share: float


def common_parts(
    scored: Scored,
    evaluation: Evaluation,
    robustness: Robustness | None,
    no_robustness: str,
    subjects: Sequence[Subject] = (),
    seconds: float | None = None,
) -> dict[str, Any]:
    """Makes everything that the templates' shared blocks show.

    Args:
        scored: Images, scores and, for what looks inside, the model.
        evaluation: The figures.
        robustness: Accuracy on changed images, None when it was not measured.
        no_robustness: Why not.
        subjects: Images to explain; without any, some are chosen.
        seconds: What explaining may take, None for no limit; one image is always explained.
    """
    mistakes = surest_mistakes(scored.scores, scored.targets, CASES)
    with_images = [entry for entry in evaluation.per_class if entry.images]
    listed = with_images if len(evaluation.per_class) > TABLE_CLASSES else list(evaluation.per_class)
    if len(listed) > TABLE_CLASSES:
        listed = sorted(listed, key=lambda entry: (entry.f1 or 0.0, entry.label))[:TABLE_CLASSES]
    whole = len(scored.labels) <= MATRIX_CLASSES
    parts: dict[str, Any] = {
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
        "filters": None,
        "filter_sheet": "",
        "explanations": None,
        "inside_notes": [NO_MODEL] if scored.model is None else [],
    }
    if scored.model is not None:
        filters, no_filters = attempt("Filters", lambda: first_filters(scored.model))
        chosen = subjects or _chosen(scored, mistakes)
        explanations: Explanations = explain(scored.model, chosen, scored.labels, seconds)
        parts["filters"] = filters
        parts["filter_sheet"] = filter_sheet(filters) if filters else ""
        parts["explanations"] = explanations
        parts["inside_notes"] = [line for line in (no_filters, *explanations.missing) if line]
    return parts


def _chosen(scored: Scored, mistakes: Any) -> list[Subject]:
    """In turn a mistake and a right answer, so that a time limit leaves some of both."""
    right = surest_right(scored.scores, scored.targets, EXPLAINED)
    wrong = mistakes[:EXPLAINED]
    places = [int(group[turn]) for turn in range(EXPLAINED) for group in (wrong, right) if turn < len(group)]
    return [
        Subject(scored.pixels(place), scored.refs[place], scored.scores[place], int(scored.targets[place]))
        for place in places
    ]


def _examples(scored: Scored, found: Robustness) -> list[dict[str, str]]:
    """One image under the strongest measured change of every family."""
    place = int(spread_over_classes(scored.targets, 1)[0])
    image, worst = scored.pixels(place), max(found.severities)
    return [
        {
            "family": family.name,
            "amount": family.amount_text(worst),
            "image": thumbnail(corrupted(image, family, worst, place)),
        }
        for family in FAMILIES
    ]


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
