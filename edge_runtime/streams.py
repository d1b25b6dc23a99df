"""Classification of endless inputs: a watched folder, a camera."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

import click

from edge_runtime.classifier import Classifier
from edge_runtime.errors import ImageError
from edge_runtime.options import ResultOptions
from edge_runtime.output_writer import OutputFormat, Writer, error_line, open_writer
from edge_runtime.termination import on_terminate
from edge_runtime.watching import FolderWatcher


@dataclass(frozen=True)
class ClassifyJob:
    """How to classify images and where to write the results.

    Attributes:
        classifier: The open classifier.
        top_k: Classes per image.
        workers: Images classified in parallel.
        options: Threshold, lists and temperature.
        format: Output format.
        out: The output file; None for stdout.
    """

    classifier: Classifier
    top_k: int
    workers: int
    options: ResultOptions | None
    format: OutputFormat
    out: Path | None

    def writer(self) -> AbstractContextManager[Writer]:
        """Opens a writer that writes each result at once."""
        return open_writer(self.format, self.out, self.classifier, self.top_k)


def classify_arrivals(watcher: FolderWatcher, names: Sequence[str], job: ClassifyJob) -> None:
    """Classifies the given images, then those that arrive, until SIGTERM.

    Args:
        watcher: Finds new images.
        names: Images to classify first.
        job: What to do with them.

    Raises:
        DataError: The folder is gone.
    """
    with on_terminate() as stopped, job.writer() as writer:
        click.echo(f"Watching {watcher.folder}, press Ctrl-C to stop.", err=True)
        _answer(names, job, writer, stopped)
        for batch in watcher.batches(stopped):
            _answer(batch, job, writer, stopped)


def classify_frames(source: str, most: int | None, job: ClassifyJob) -> None:
    """Classifies frames until ``most`` are done, the video file ends, or SIGTERM arrives.

    Args:
        source: As :class:`edge_runtime.camera.Camera`.
        most: Frames to classify; None for no limit.
        job: What to do with them; a table shows the best class once per second, other formats every frame.

    Raises:
        EnvironmentMissingError: OpenCV or the camera is missing.
        DataError: The video file cannot be read.
    """
    from edge_runtime.camera import Camera

    for_people = job.format == "table"
    top_k = 1 if for_people else job.top_k
    answered = 0
    with on_terminate() as stopped, Camera(source) as camera, job.writer() as writer:
        for number, frame in camera.frames(every_s=1.0 if for_people else 0.0):
            writer.write(f"{source}#{number}", job.classifier.classify(frame, top_k, job.options))
            answered += 1
            if answered == most or stopped.is_set():
                return


def _answer(names: Sequence[str], job: ClassifyJob, writer: Writer, stopped: threading.Event) -> None:
    answers = job.classifier.classify_many(names, job.top_k, job.workers, job.options)
    with closing(answers):
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, ImageError) and not writer.keeps_errors:
                click.echo(error_line(answer), err=True)
            writer.write(name, answer)
            if stopped.is_set():
                return
