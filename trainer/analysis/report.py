"""The pages: ``report.html`` of a training run, and that of ``snapship evaluate --report``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.common.atomic_file import check_file, write_whole
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.common.html_page import render_page
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array, pixels
from trainer.analysis.explaining import Subject
from trainer.analysis.page import common_parts, key_figures
from trainer.analysis.plots import curve
from trainer.analysis.robustness import FEWEST_IMAGES, Robustness, measure_robustness, seconds_per_image
from trainer.core.backend import training_extra
from trainer.core.cache import Pixels
from trainer.evaluation.evaluation import Evaluation, Measurement, scored_images, source_kind
from trainer.evaluation.metrics import ScoredImages
from trainer.progress import Event, Progress, silent
from trainer.run.run_json import REPORT_FILE, EpochRow, RunRecord, read_run

ROBUSTNESS_IMAGES = 150
"""Maximum number of val images that are corrupted and scored again."""

ROBUSTNESS_SEVERITIES = ((1, 3, 5), (2, 4), (3,))
"""Severities to measure: the first of these that fits the time limit."""

_SHARE_OF_TRAINING, _LEAST_SECONDS, _MOST_SECONDS = 0.05, 3.5, 60.0
"""Time that robustness, and explaining, may each take: a share of the training time, within limits."""

_FILTERS = {
    "percent": lambda value: "-" if value is None else f"{100 * value:.1f} %",
    "hundredths": lambda value: "-" if value is None else f"{100 * value:.1f}",
}

NamedImage = tuple[str, UInt8Array]
"""An image's name, and its pixels at the model's input size."""


def check_report_packages() -> None:
    """Checks before training that the report can be written after it.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    for package in ("jinja2", "matplotlib"):
        if find_spec(package) is None:
            raise EnvironmentMissingError.of_extra("The report", package, training_extra())


def check_report_file(path: Path) -> None:
    """Refuses a report file that cannot be written, before anything slow starts.

    Args:
        path: The report file.

    Raises:
        UsageError: The name does not end in ``.html``, it is a folder, or it cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"The report must be an .html file. Received: --report {path}. Pass --report {path.stem}.html."
        )
    if path.is_dir():
        raise UsageError(
            f"The report must be a file. Received: --report {path}, a folder. "
            f"Pass --report {path / 'report.html'}."
        )
    check_file(path, "--report")


def read_images(source: str | os.PathLike[str], images: Sequence[str]) -> tuple[NamedImage, ...]:
    """Reads the images to explain, before anything slow starts.

    Args:
        source: The run folder.
        images: Paths.

    Raises:
        UsageError: ``source`` is a bundle.
        ImageError: An image cannot be used.
        RunError: The run is damaged.
    """
    if source_kind(source) == "bundle":
        raise UsageError(
            f"--explain requires a run folder. Received: the bundle {os.fspath(source)}, "
            "whose model files output scores only. Pass the run folder."
        )
    spec = read_run(source).input
    return tuple((image, pixels(image, spec)) for image in images)


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
    scored = scored_images(model, pixels, pixels.only("val"), scores)
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


def write_evaluation_report(
    path: Path,
    found: Measurement,
    robustness: Robustness | None = None,
    explain: Sequence[NamedImage] = (),
    progress: Progress = silent,
) -> None:
    """Writes the page.

    Args:
        path: The HTML file; an existing one is replaced.
        found: The evaluation to show.
        robustness: Accuracy on corrupted images, if measured.
        explain: Images to explain; if empty, some mistakes and correct answers are chosen.
        progress: Progress callback.

    Raises:
        UsageError: The file cannot be written.
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    progress(Event("report", 0, 0, f"writing {path}"))
    scored = found.scored
    subjects = []
    if explain:
        scores = scored.predict(np.stack([image for _, image in explain]))
        subjects = [
            Subject(image, name, row, None) for (name, image), row in zip(explain, scores, strict=True)
        ]
    parts = common_parts(scored, found.evaluation, robustness, "Not measured. Add --robustness.", subjects)
    facts = key_figures(found.evaluation, found.input, ("images", f"{found.evaluation.n:,}"))
    text = render("evaluation.html", parts | {"title": found.name, "found": found, "facts": facts,
                                              "created": datetime.now(UTC).isoformat(timespec="seconds"),
                                              "skipped": found.evaluation.skipped, "counts": None,
                                              "chosen_by_user": bool(explain)})  # fmt: skip
    write_whole(path, text, "--report")


def render(template: str, values: dict[str, Any]) -> str:
    """Renders a template of this package.

    Args:
        template: Its file name in ``templates/``.
        values: What it shows.

    Raises:
        EnvironmentMissingError: Jinja2 is not installed.
    """
    path = Path(__file__).parent / "templates" / template
    return render_page(path, values, purpose="The report", extra=training_extra(), filters=_FILTERS)


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
