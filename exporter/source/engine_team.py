"""Engines of one file that score images at once, one per core; each image is scored by one of them, alone.

So the scores are bit for bit those of a single engine, whichever scores an image. LiteRT's classic
interpreter and ONNX Runtime release the GIL while they compute, so threads of one process suffice.

Each further engine costs memory: about three times the file, for weights that its kernels repack and for
activations. :func:`team_size` keeps all of them together below :data:`MOST_BYTES`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from edge_runtime.common.cores import cores
from edge_runtime.common.errors import SnapshipError
from edge_runtime.common.native_output import quiet
from edge_runtime.engines import Engine
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array

MOST_BYTES = 1 << 30
"""Memory for all engines beyond the first."""

FEWEST_IMAGES = 8
"""Images per engine below which opening another one takes longer than it saves."""

_BYTES_PER_BYTE = 3


def team_size(file_bytes: int, threads: int = 1) -> int:
    """How many engines of a file to run at once, at least one.

    Args:
        file_bytes: Size of the file.
        threads: Threads of one inference.
    """
    further = min(cores() // threads - 1, MOST_BYTES // (_BYTES_PER_BYTE * max(1, file_bytes)))
    return 1 + max(0, further)


def score_together(
    first: Engine,
    another: Callable[[], Engine],
    size: int,
    pixels: UInt8Array,
    scores: Float32Array,
    progress: Callable[[int], None],
) -> None:
    """Scores images; the calling thread works too, and is the only one that reports.

    Args:
        first: A loaded engine; a cascade's counts include, afterwards, those of the others.
        another: Opens one more; they are closed at the end.
        size: Engines at most, at least one.
        pixels: uint8 ``[n, height, width, channels]``.
        scores: Filled, float32 ``[n, classes]``.
        progress: Called with the number of finished images.

    Raises:
        SnapshipError: What the engine raised at the first image that it refused.
    """
    helpers = max(0, min(size, len(pixels) // FEWEST_IMAGES) - 1)
    work = _Work(pixels, scores)
    # Before another thread silences stderr, where the name of the step may go.
    progress(0)

    def help_out() -> tuple[int, int]:
        """Images seen, and passed on, by a further cascade."""
        # What opened once fails again only for lack of memory: the others do its share.
        with suppress(SnapshipError):
            with quiet():
                engine = another()
            try:
                work.run(engine)
                return (engine.seen, engine.passed_on) if isinstance(engine, CascadeEngine) else (0, 0)
            finally:
                engine.close()
        return 0, 0

    with ThreadPoolExecutor(max(1, helpers)) as pool:
        try:
            futures = [pool.submit(help_out) for _ in range(helpers)]
            work.run(first, progress)
        finally:
            # Also on Ctrl-C: the others end with the image at hand.
            work.stop()
        counts = [future.result() for future in futures]
    if isinstance(first, CascadeEngine):
        first.seen += sum(seen for seen, _ in counts)
        first.passed_on += sum(passed_on for _, passed_on in counts)
    work.raise_failure()
    progress(len(pixels))


class _Work:
    """Images that threads take one after another."""

    def __init__(self, pixels: UInt8Array, scores: Float32Array) -> None:
        self._pixels, self._scores = pixels, scores
        self._lock = threading.Lock()
        self._next = self._done = 0
        self._end = len(pixels)
        self._failure: tuple[int, Exception] | None = None

    def run(self, engine: Engine, progress: Callable[[int], None] | None = None) -> None:
        """Scores images until there are no more."""
        while True:
            with self._lock:
                if self._next >= self._end:
                    return
                index, self._next = self._next, self._next + 1
            try:
                self._scores[index] = engine.run(np.asarray(self._pixels[index]))
            except Exception as error:
                self._fail(index, error)
                return
            with self._lock:
                self._done += 1
                done = self._done
            if progress is not None:
                progress(done)

    def stop(self) -> None:
        """Hands out no more images."""
        with self._lock:
            self._end = 0

    def _fail(self, index: int, error: Exception) -> None:
        """Keeps the failure of the first image: those before it were handed out, so each run names the same."""
        with self._lock:
            self._end = 0
            if self._failure is None or index < self._failure[0]:
                self._failure = index, error

    def raise_failure(self) -> None:
        """Raises the failure, if there was one."""
        if self._failure is not None:
            raise self._failure[1]
