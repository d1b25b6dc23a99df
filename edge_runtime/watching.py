"""New images in a folder, found by looking again and again.

Looking, and not the kernel's notices (inotify, watchfiles): notices come from no network folder and
no camera's card, miss what lies in a folder that is moved in, do not say that a writer has finished,
and need one more native package on the device. Looking costs the reading of the folders' names and
sizes; the pause after it is so long that it takes at most 2 % of one core, however full the folder.
"""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import TypeAlias

from edge_runtime.dataset.layout import IMAGE_SUFFIXES, is_ignored
from edge_runtime.errors import DataError, UsageError

_PAUSE_S = 0.5
_PAUSES_PER_LOOK = 50
"""A pause is at least that many times as long as the look before it."""

_State: TypeAlias = tuple[int, int, int]
"""Inode, size in bytes and time of change in ns: when all are the same, so is the content."""


class FolderWatcher:
    """Images that come to be in a folder, or below it, after the watcher was made.

    A file is new when its name is, or when what is under that name was replaced or rewritten.
    Hidden files and suffixes of no image are left alone, so that uploads under a temporary
    name are seen when they are renamed; empty files are waited for.

    Attributes:
        folder: Where it looks.
    """

    def __init__(self, folder: Path, settle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes note of what is there.

        Args:
            folder: The folder.
            settle_s: Seconds for which a file must stay as it is before it is read.
            clock: Seconds that only grow.

        Raises:
            DataError: The folder is not there.
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
        """Returns the new files that nobody writes to any more, each once, oldest first.

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
        # What was deleted is forgotten, or the memory of a year would grow without end.
        self._known = {path: state for path, state in self._known.items() if path in found}
        return [path for _, path in sorted(ready)]

    def batches(self, stopped: threading.Event) -> Iterator[list[str]]:
        """Looks again and again, and yields what is ready when something is.

        Args:
            stopped: Ends it when set, at once.

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
    """State of every image file; what vanishes or is locked while looking is left out."""
    found: dict[str, _State] = {}
    places = [os.fspath(folder)]
    while places:
        place = places.pop()
        try:
            entries = os.scandir(place)
        except (OSError, ValueError) as error:
            if place != os.fspath(folder):
                continue
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(
                f"A watched place must be a readable folder. Received: {place} ({reason}). Check the path."
            ) from error
        with entries:
            for entry in entries:
                if is_ignored([entry.name]):
                    continue
                try:
                    # Links to folders could lead back to where they lie.
                    if entry.is_dir(follow_symlinks=False):
                        places.append(entry.path)
                    elif PurePath(entry.name).suffix.lower() in IMAGE_SUFFIXES:
                        status = entry.stat()
                        if stat.S_ISREG(status.st_mode):
                            found[entry.path] = (status.st_ino, status.st_size, status.st_mtime_ns)
                except OSError:
                    continue
    return found
