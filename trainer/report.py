"""``report.html``: what a training run came to, one file that opens offline."""

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
from trainer.insight.page import common_parts
from trainer.insight.robustness import (
    FEWEST_IMAGES,
    Robustness,
    measure_robustness,
    seconds_per_image,
)
from trainer.pages import render
from trainer.plots import curve
from trainer.run import REPORT_FILE, RunRecord
from trainer.scored import Scored

ROBUSTNESS_IMAGES = 150
"""Most val images that are changed and scored again."""

ROBUSTNESS_SEVERITIES = ((1, 3, 5), (2, 4), (3,))
"""The first of these that the time allows is measured."""

_SHARE_OF_TRAINING, _LEAST_SECONDS, _MOST_SECONDS = 0.05, 5.0, 60.0
"""What robustness, and explaining, may each add to a training: a share of it, within limits."""


def check_report_packages() -> None:
    """Says before training, not after it, that the report cannot be written.

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
    care: Sequence[str] = (),
) -> None:
    """Writes ``report.html``.

    Args:
        folder: The run folder.
        record: Its ``run.json``.
        rows: Its history.
        evaluation: The model on val.
        scores: float32 ``[val images, classes]``.
        pixels: All images of the run.
        model: The ``keras.Model`` on raw pixels; without it the page has nothing that looks
            inside or scores further images.
        care: Findings about the data, one line each, shown on top.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    check_report_packages()
    scored = _scored(scores, pixels, model)
    seconds = min(max(_SHARE_OF_TRAINING * record.metrics.seconds, _LEAST_SECONDS), _MOST_SECONDS)
    robustness, no_robustness = _robustness(scored, seconds)
    parts = common_parts(scored, evaluation, robustness, no_robustness, seconds=seconds)
    if model is None:
        parts["inside_notes"] = ["Left out. The model was not at hand."]
    text = render(
        "report.html",
        parts
        | {
            "title": record.name,
            "record": record,
            "care": list(care),
            "counts": pixels.images.counts(),
            "skipped": pixels.images.skipped,
            "facts": _facts(record, evaluation),
            "curves": [curve(rows, "accuracy", "Accuracy"), curve(rows, "loss", "Loss (nats)")],
            "config": _shown(record.config),
        },
    )
    write_whole(folder / REPORT_FILE, text)


def _scored(scores: Float32Array, pixels: Pixels, model: Any) -> Scored:
    val = pixels.only("val")
    return Scored(
        labels=pixels.images.labels,
        refs=tuple(pixels.images.items[place].ref for place in val),
        scores=scores,
        targets=pixels.labels[val],
        pixels=lambda place: np.array(pixels.array[val[place]]),
        predict=lambda array: predict(model, array, np.arange(len(array))),
        model=model,
    )


def _robustness(scored: Scored, seconds: float) -> tuple[Robustness | None, str]:
    """Measures what the time allows, or says why it does not."""
    if scored.model is None:
        return None, "Left out. The model was not at hand."
    if len(scored.targets) < FEWEST_IMAGES:
        return None, f"Left out. It takes {FEWEST_IMAGES} val images, there are {len(scored.targets)}."
    each = seconds_per_image(scored)
    for severities in ROBUSTNESS_SEVERITIES:
        images = int(seconds / (each * len(severities)))
        if images >= FEWEST_IMAGES:
            return measure_robustness(
                scored, images=min(images, ROBUSTNESS_IMAGES), severities=severities
            ), ""
    return None, (
        f"Left out. It would have added about {each * FEWEST_IMAGES:.0f} s to the training. "
        "Run: snapship evaluate RUN DATA --robustness --report FILE.html"
    )


def _facts(record: RunRecord, evaluation: Evaluation) -> list[tuple[str, str]]:
    """The figures on top, with their captions."""
    spec = record.input
    facts = [("val top-1", f"{evaluation.top1:.1%}")]
    if len(record.labels) > 5:
        facts.append(("val top-5", f"{evaluation.top5:.1%}"))
    return [
        *facts,
        ("macro F1", f"{evaluation.macro.f1:.1%}"),
        ("val loss", f"{evaluation.loss:.3f}"),
        ("calibration error", f"{evaluation.ece:.1%}"),
        ("train / val images", f"{record.metrics.train_images:,} / {evaluation.n:,}"),
        ("classes", str(len(record.labels))),
        ("input", f"{spec.width}x{spec.height}x{spec.channels}, {spec.fit}"),
        ("epochs", str(record.metrics.epochs)),
        ("time", f"{record.metrics.seconds:.0f} s"),
    ]


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what was left open, its phases as text."""
    shown = {name: value for name, value in config.items() if value is not None}
    if isinstance(config.get("phases"), list):
        shown["phases"] = "; ".join(_phase_text(step) for step in config["phases"])
    return shown


def _phase_text(step: dict[str, Any]) -> str:
    rate = step["learning_rate"]
    rate = f"{rate:g}" if isinstance(rate, int | float) else rate
    return f"{step['name']}: up to {step['epochs']} epochs, patience {step['patience']}, learning rate {rate}"
