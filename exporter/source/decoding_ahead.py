"""Decodes images while another thread loads a model: importing TensorFlow keeps one core busy, and no other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.dataset import ImageSet
from edge_runtime.image.input_spec import InputSpec
from exporter.source.images import PixelTable, decode_table

_PROGRESS_SECONDS = 0.1


class DecodingAhead:
    """A table of images that is being decoded.

    Attributes:
        spec: The input that they are decoded for.
    """

    def __init__(self, images: ImageSet, spec: InputSpec) -> None:
        """Begins.

        Args:
            images: The set, at least one image.
            spec: The model's input.
        """
        self.spec = spec
        self._done, self._count = 0, len(images)
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._table = self._pool.submit(decode_table, images, spec, progress=self._on_progress)

    def result(self, progress: Progress = no_progress) -> PixelTable:
        """Waits for the table, which the caller closes.

        Args:
            progress: Progress callback, called by this thread.

        Raises:
            DataError: More than a twentieth or a whole class does not decode.
        """
        try:
            while not self._table.done():
                progress("decoding", self._done, self._count)
                wait([self._table], _PROGRESS_SECONDS)
            table = self._table.result()
            progress("decoding", self._count, self._count)
            return table
        finally:
            # On Ctrl-C too, so that nothing goes on behind it.
            self.close()

    def close(self) -> None:
        """Stops decoding; what :meth:`result` returned stays."""
        self._stopped.set()
        self._pool.shutdown()

    def _on_progress(self, step: str, done: int, total: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self._done = done


class _StoppedError(Exception):
    """Ends the decoding that nobody waits for."""
