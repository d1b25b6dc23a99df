"""The page of ``snapship evaluate --report``: where a run or a bundle fails."""

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
from trainer.insight.page import common_parts, key_figures
from trainer.insight.robustness import Robustness
from trainer.measuring import Measurement, source_kind
from trainer.pages import render
from trainer.progress import Event, Progress, silent
from trainer.run import read_run

NamedImage = tuple[str, UInt8Array]
"""An image's name, and its pixels at the model's input size."""


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
