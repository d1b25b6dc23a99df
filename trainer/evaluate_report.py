"""The page of ``snapship evaluate --report``: where a run or a bundle fails on given images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge_runtime.atomic_file import check_file, write_whole
from edge_runtime.errors import UsageError
from edge_runtime.preprocess import UInt8Array, pixels
from trainer.insight.explaining import Subject
from trainer.insight.page import common_parts
from trainer.insight.robustness import Robustness
from trainer.measuring import Measured, source_kind
from trainer.pages import render
from trainer.progress import Event, Progress, silent
from trainer.run import read_run

Explained = tuple[str, UInt8Array]
"""An image's name, and its pixels as the model takes them."""


def check_report_file(path: Path) -> None:
    """Refuses a file that must not be replaced by a page, before anything slow is done.

    Args:
        path: Where the page shall go.

    Raises:
        UsageError: It is no ``.html`` name, a folder, or in a place that cannot be written.
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


def explained(source: str | os.PathLike[str], images: Sequence[str]) -> tuple[Explained, ...]:
    """Reads the images to explain, before anything slow is done.

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
            f"An image can be explained with a run only. Received: --explain with the bundle {os.fspath(source)}, "
            "whose model files give scores and no more. Pass the run folder."
        )
    spec = read_run(source).input
    return tuple((image, pixels(image, spec)) for image in images)


def write_evaluation_report(
    path: Path,
    found: Measured,
    robustness: Robustness | None = None,
    explain: Sequence[Explained] = (),
    progress: Progress = silent,
) -> None:
    """Writes the page.

    Args:
        path: The HTML file; one of that name is replaced.
        found: What was measured.
        robustness: Accuracy on changed images, if it was measured.
        explain: Images to explain; without any, some mistakes and right answers are chosen.
        progress: Told that the page is being written.

    Raises:
        UsageError: The place cannot be written.
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
    text = render("evaluation.html", parts | {"title": found.name, "found": found, "facts": _facts(found),
                                              "created": datetime.now(UTC).isoformat(timespec="seconds"),
                                              "skipped": found.evaluation.skipped, "counts": None,
                                              "chosen_by_user": bool(explain)})  # fmt: skip
    write_whole(path, text, "--report")


def _facts(found: Measured) -> list[tuple[str, str]]:
    """The figures on top, with their captions."""
    evaluation, spec = found.evaluation, found.input
    facts = [("top-1", f"{evaluation.top1:.1%}")]
    if len(found.scored.labels) > 5:
        facts.append(("top-5", f"{evaluation.top5:.1%}"))
    return [
        *facts,
        ("macro F1", f"{evaluation.macro.f1:.1%}"),
        ("loss", f"{evaluation.loss:.3f}"),
        ("calibration error", f"{evaluation.ece:.1%}"),
        ("images", f"{evaluation.n:,}"),
        ("classes", str(len(found.scored.labels))),
        ("input", f"{spec.width}x{spec.height}x{spec.channels}, {spec.fit}"),
    ]
