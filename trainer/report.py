"""``report.html``: the result of a training run, as a self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.atomic_file import write_whole
from edge_runtime.errors import EnvironmentMissingError
from edge_runtime.result import Float32Array
from trainer.backend import training_extra
from trainer.cache import Pixels
from trainer.evaluation import Evaluation, predict
from trainer.history import EpochRow
from trainer.insight.page import common_parts, key_figures
from trainer.insight.robustness import (
    FEWEST_IMAGES,
    Robustness,
    measure_robustness,
    seconds_per_image,
)
from trainer.pages import render
from trainer.plots import curve
from trainer.run import REPORT_FILE, RunRecord
from trainer.scored import ScoredImages

ROBUSTNESS_IMAGES = 150
"""Maximum number of val images that are corrupted and scored again."""

ROBUSTNESS_SEVERITIES = ((1, 3, 5), (2, 4), (3,))
"""Severities to measure: the first of these that fits the time limit."""

_SHARE_OF_TRAINING, _LEAST_SECONDS, _MOST_SECONDS = 0.05, 5.0, 60.0
"""Time that robustness, and explaining, may each take: a share of the training time, within limits."""


def check_report_packages() -> None:
    """Checks before training that the report can be written after it.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    for package in ("jinja2", "matplotlib"):
        if find_spec(package) is None:
            raise EnvironmentMissingError.of_extra("The report", package, training_extra())


def write_report(
    folder: Path,
    record: RunRecord,
    rows: Sequence[EpochRow],
    evaluation: Evaluation,
    scores: Float32Array,
    pixels: Pixels,
    *,
    model: Any = None,
    warnings: Sequence[str] = (),
) -> None:
    """Writes ``report.html``.

    Args:
        folder: The run folder.
        record: Its ``run.json``.
        rows: Its history.
        evaluation: The model evaluated on val.
        scores: float32 ``[val images, classes]``.
        pixels: All images of the run.
        model: The ``keras.Model`` on raw pixels; without it the page has no robustness, filters
            or explanations.
        warnings: Findings of the data checks, one line each, shown at the top.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    check_report_packages()
    scored = _scored(scores, pixels, model)
    seconds = min(max(_SHARE_OF_TRAINING * record.metrics.seconds, _LEAST_SECONDS), _MOST_SECONDS)
    robustness, no_robustness = _robustness(scored, seconds)
    parts = common_parts(scored, evaluation, robustness, no_robustness, seconds=seconds)
    if model is None:
        parts["inside_notes"] = ["Not available without the model."]
    text = render(
        "report.html",
        parts
        | {
            "title": record.name,
            "record": record,
            "warnings": list(warnings),
            "counts": pixels.images.counts(),
            "skipped": pixels.images.skipped,
            "facts": _facts(record, evaluation),
            "curves": [curve(rows, "accuracy", "Accuracy"), curve(rows, "loss", "Loss (nats)")],
            "config": _shown(record.config),
        },
    )
    write_whole(folder / REPORT_FILE, text)


def _scored(scores: Float32Array, pixels: Pixels, model: Any) -> ScoredImages:
    val = pixels.only("val")
    return ScoredImages(
        labels=pixels.images.labels,
        refs=tuple(pixels.images.items[place].ref for place in val),
        scores=scores,
        targets=pixels.labels[val],
        pixels=lambda place: np.array(pixels.array[val[place]]),
        predict=lambda array: predict(model, array, np.arange(len(array))),
        model=model,
    )


def _robustness(scored: ScoredImages, seconds: float) -> tuple[Robustness | None, str]:
    """Measures what the time limit allows, or says why nothing was measured."""
    if scored.model is None:
        return None, "Not available without the model."
    if len(scored.targets) < FEWEST_IMAGES:
        return None, f"Not measured. It requires {FEWEST_IMAGES} val images; there are {len(scored.targets)}."
    each = seconds_per_image(scored)
    for severities in ROBUSTNESS_SEVERITIES:
        images = int(seconds / (each * len(severities)))
        if images >= FEWEST_IMAGES:
            return measure_robustness(
                scored, images=min(images, ROBUSTNESS_IMAGES), severities=severities
            ), ""
    return None, (
        f"Not measured. It would have added about {each * FEWEST_IMAGES:.0f} s to the training. "
        "Run: snapship evaluate RUN DATA --robustness --report FILE.html"
    )


def _facts(record: RunRecord, evaluation: Evaluation) -> list[tuple[str, str]]:
    """The key figures at the top, with their captions."""
    images = ("train / val images", f"{record.metrics.train_images:,} / {evaluation.n:,}")
    return [
        *key_figures(evaluation, record.input, images, "val "),
        ("epochs", str(record.metrics.epochs)),
        ("time", f"{record.metrics.seconds:.0f} s"),
    ]


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without empty values, its phases as text."""
    shown = {name: value for name, value in config.items() if value is not None}
    if isinstance(config.get("phases"), list):
        shown["phases"] = "; ".join(_phase_text(phase) for phase in config["phases"])
    return shown


def _phase_text(phase: dict[str, Any]) -> str:
    rate = phase["learning_rate"]
    rate = f"{rate:g}" if isinstance(rate, int | float) else rate
    return (
        f"{phase['name']}: up to {phase['epochs']} epochs, patience {phase['patience']}, learning rate {rate}"
    )
