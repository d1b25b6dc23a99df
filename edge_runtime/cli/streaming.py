"""Classification of endless inputs: a watched folder, which is polled, or a camera.

Polling rather than kernel events (inotify, watchfiles): events do not work on network folders and
camera cards, miss the contents of a folder that is moved in, do not say whether a writer has
finished, and need another native package on the device. A poll reads names and sizes; the pause
after it is long enough that polling takes at most 2 % of one core, however full the folder.
"""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeAlias

import click

from edge_runtime.classifier import Classifier
from edge_runtime.common.atomic_file import on_terminate
from edge_runtime.common.errors import DataError, ImageError, UsageError, reason_of
from edge_runtime.dataset.layout import IMAGE_SUFFIXES, is_ignored
from edge_runtime.options import ResultOptions
from edge_runtime.output.records import Writer
from edge_runtime.output.writer import OutputFormat, error_line, open_writer

_PAUSE_S = 0.5
_PAUSES_PER_LOOK = 50
"""A pause is at least this many times as long as the poll before it."""

_State: TypeAlias = tuple[int, int, int]
"""Inode, size in bytes and time of change in ns; if all are equal, so is the content."""


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
        source: As :class:`edge_runtime.cli.camera.Camera`.
        most: Frames to classify; None for no limit.
        job: What to do with them; a table shows the best class once per second, other formats every frame.

    Raises:
        EnvironmentMissingError: OpenCV or the camera is missing.
        DataError: The video file cannot be read.
    """
    from edge_runtime.cli.camera import Camera

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


class FolderWatcher:
    """Finds images that appear in a folder, or below it, after the watcher was created.

    A file is new if its name is new, or if it was replaced or rewritten. Hidden files and files
    without an image suffix are ignored, so an upload under a temporary name is found when it is
    renamed. An empty file is not ready yet.

    Attributes:
        folder: The watched folder.
    """

    def __init__(self, folder: Path, settle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Records the files that exist now.

        Args:
            folder: The folder to watch.
            settle_s: Seconds for which a file must be unchanged before it is ready.
            clock: A monotonic clock in seconds.

        Raises:
            DataError: The folder does not exist.
            UsageError: settle_s is negative or not a finite number.
        """
        if not 0.0 <= settle_s < math.inf:
            raise UsageError(f"A file must settle for 0 s or more. Received: {settle_s} s. Pass --settle 1.")
        self.folder = folder
        self._settle_s = settle_s
        self._clock = clock
        self._known = _scan(folder)
        self._waiting: dict[str, tuple[_State, float]] = {}

    def look(self) -> list[str]:
        """Polls once: returns the new files that are no longer written to, each once, oldest first.

        Raises:
            DataError: The folder is gone.
        """
        now = self._clock()
        found = _scan(self.folder)
        waiting: dict[str, tuple[_State, float]] = {}
        ready: list[tuple[int, str]] = []
        for path, state in found.items():
            if self._known.get(path) == state:
                continue
            before = self._waiting.get(path)
            since = before[1] if before is not None and before[0] == state else now
            _, size, changed_ns = state
            if size > 0 and now - since >= self._settle_s:
                ready.append((changed_ns, path))
                self._known[path] = state
            else:
                waiting[path] = (state, since)
        self._waiting = waiting
        # Forget deleted files, or memory would grow for years.
        self._known = {path: state for path, state in self._known.items() if path in found}
        return [path for _, path in sorted(ready)]

    def batches(self, stopped: threading.Event) -> Iterator[list[str]]:
        """Polls until stopped; yields the files that are ready.

        Args:
            stopped: Ends the iteration at once when set.

        Raises:
            DataError: The folder is gone.
        """
        while not stopped.is_set():
            started = time.perf_counter()
            ready = self.look()
            spent = time.perf_counter() - started
            if ready:
                yield ready
            stopped.wait(max(_PAUSE_S, _PAUSES_PER_LOOK * spent))


def _scan(folder: Path) -> dict[str, _State]:
    """State of every image file; files that vanish or are locked meanwhile are left out."""
    found: dict[str, _State] = {}
    places = [os.fspath(folder)]
    while places:
        place = places.pop()
        try:
            entries = os.scandir(place)
        except (OSError, ValueError) as error:
            if place != os.fspath(folder):
                continue
            raise DataError(
                f"--watch must be a readable folder. Received: {place} ({reason_of(error)}). Check the path."
            ) from error
        with entries:
            for entry in entries:
                if is_ignored([entry.name]):
                    continue
                try:
                    # A link to a folder could lead back to a parent of its own.
                    if entry.is_dir(follow_symlinks=False):
                        places.append(entry.path)
                    elif PurePath(entry.name).suffix.lower() in IMAGE_SUFFIXES:
                        status = entry.stat()
                        if stat.S_ISREG(status.st_mode):
                            found[entry.path] = (status.st_ino, status.st_size, status.st_mtime_ns)
                except OSError:
                    continue
    return found
