"""Answers for images that keep coming: a folder that is watched, a camera."""

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
from edge_runtime.output_writer import OutputFormat, Writer, complaint, open_writer
from edge_runtime.termination import on_terminate
from edge_runtime.watching import FolderWatcher


@dataclass(frozen=True)
class ClassifyJob:
    """How images are classified and where their answers go.

    Attributes:
        classifier: It answers.
        top_k: Classes an image.
        workers: Images at a time.
        options: Which classes are an answer.
        format: What is written.
        out: The file; None for stdout.
    """

    classifier: Classifier
    top_k: int
    workers: int
    options: ResultOptions | None
    format: OutputFormat
    out: Path | None

    def writer(self) -> AbstractContextManager[Writer]:
        """Opens what takes the answers, each at once."""
        return open_writer(self.format, self.out, self.classifier, self.top_k)


def classify_arrivals(watcher: FolderWatcher, names: Sequence[str], job: ClassifyJob) -> None:
    """Answers for images and then for those that arrive, each at once, until SIGTERM.

    Args:
        watcher: Looks for them.
        names: Images that are classified before.
        job: How.

    Raises:
        DataError: The folder is gone.
    """
    with on_terminate() as stopped, job.writer() as writer:
        click.echo(f"Watching {watcher.folder}, Ctrl-C ends it.", err=True)
        _answer(names, job, writer, stopped)
        for batch in watcher.batches(stopped):
            _answer(batch, job, writer, stopped)


def classify_frames(source: str, most: int | None, job: ClassifyJob) -> None:
    """Answers for a camera's frames until there are enough, a video file ends, or SIGTERM.

    Args:
        source: As :class:`edge_runtime.camera.Camera`.
        most: How many answers; None for no end.
        job: How; a table has the best class once a second, other formats every frame.

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
                click.echo(complaint(answer), err=True)
            writer.write(name, answer)
            if stopped.is_set():
                return
