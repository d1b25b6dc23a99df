"""A classifier for services that swaps its bundle while it runs."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import ImageError, SnapshipError, UsageError
from edge_runtime.engines.result import Float32Array, Result
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import ImageSource, UInt8Array
from edge_runtime.options import ResultOptions
from edge_runtime.updates.version_folder import Stamp, bundle_in, is_version, stamp_of

EVERY_S = 1.0
"""Seconds between two checks of the disk."""

_RETRY_LOOKS = 10
"""Checks after which a bundle that did not open is tried again: it may still be being copied."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swap:
    """Outcome of a bundle that appeared.

    Attributes:
        location: Its path, links resolved.
        error: None if it is in use now, else why the old one stays.
    """

    location: Path
    error: SnapshipError | None = None


class _OpenVersion:
    """An open classifier and the number of calls that use it."""

    def __init__(self, classifier: Classifier, stamp: Stamp) -> None:
        self.classifier, self.stamp = classifier, stamp
        self.users = 0
        self.retired = False


class LiveClassifier:
    """A :class:`~edge_runtime.classifier.Classifier` that follows its bundle. Safe to use from several threads.

    Once a second, a thread checks whether the bundle was replaced (two system calls), opens and
    tries the new one beside the old one, and then swaps them: running calls finish on the old one,
    which is closed after the last of them. A bundle that does not open is reported, and the old one
    stays. Create one per process; the thread does not survive a fork.

    Versions of ``snapship pull`` are memory-mapped; their files stay until the swap. Of any other
    folder the model file is read into memory, so that it may be overwritten in place.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        artifact: str | None = None,
        engine: str = "auto",
        threads: int = 1,
        *,
        every_s: float = EVERY_S,
        on_swap: Callable[[Swap], None] | None = None,
        **opening: Any,
    ) -> None:
        """Opens the current bundle.

        Args:
            bundle: A folder that ``snapship pull`` fills, or any bundle folder or zip.
            artifact: As :meth:`Classifier.open`, for every future bundle.
            engine: As there.
            threads: As there.
            every_s: Seconds between two checks; infinity to check only in :meth:`reload`.
            on_swap: Called in the checking thread after a swap or a rejected bundle.
                The logger ``edge_runtime.updates.live_classifier`` reports the same.
            opening: Further arguments of :meth:`Classifier.open`.

        Raises:
            SnapshipError: As :meth:`Classifier.open`.
            UsageError: every_s is not positive.
        """
        if not every_s > 0:
            raise UsageError(f"every_s must be positive. Received: {every_s}. Pass seconds, for example 1.0.")
        self._path = bundle_in(Path(bundle))
        self._opening = {"artifact": artifact, "engine": engine, "threads": threads, **opening}
        self._on_swap = on_swap
        self._lock = threading.Lock()
        self._reloading = threading.Lock()
        self._closed = False
        self._refused: tuple[Stamp, str] | None = None
        self._looks_to_retry = 0
        self._version = self._open(stamp_of(self._path))
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        if every_s < float("inf"):
            # The thread holds this object weakly, so that it ends if the object is dropped without close().
            self._watcher = threading.Thread(
                target=_watch,
                args=(weakref.ref(self), self._stop, every_s),
                name="snapship-live",
                daemon=True,
            )
            self._watcher.start()

    @property
    def bundle(self) -> Bundle:
        """The open bundle; its location has links resolved."""
        return self._version.classifier.bundle

    @property
    def artifact(self) -> Artifact:
        """The manifest's entry of the artifact in use."""
        return self._version.classifier.artifact

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the scores."""
        return self._version.classifier.labels

    @property
    def input(self) -> InputSpec:
        """Size and channels of the pixels."""
        return self._version.classifier.input

    @property
    def engine(self) -> str:
        """Name of the interpreter in use."""
        return self._version.classifier.engine

    def classify(self, image: ImageSource, top_k: int = 5, options: ResultOptions | None = None) -> Result:
        """See :meth:`Classifier.classify`."""
        with self._lend() as version:
            return version.classifier.classify(image, top_k, options)

    def scores(self, image: ImageSource) -> Float32Array:
        """See :meth:`Classifier.scores`."""
        with self._lend() as version:
            return version.classifier.scores(image)

    def pixels(self, image: ImageSource) -> UInt8Array:
        """See :meth:`Classifier.pixels`."""
        with self._lend() as version:
            return version.classifier.pixels(image)

    def classify_many(
        self,
        images: Iterable[ImageSource],
        top_k: int = 5,
        workers: int = 1,
        options: ResultOptions | None = None,
    ) -> Generator[Result | ImageError, None, None]:
        """See :meth:`Classifier.classify_many`; a swap takes effect between two images.

        The version in use stays open while the iterator is idle; close the iterator if you stop early.
        """
        # Report wrong arguments now rather than at the first image.
        with self._lend() as version:
            version.classifier.classify_many((), top_k, workers, options)
        return self._stream(iter(images), top_k, workers, options)

    @contextmanager
    def lent(self) -> Iterator[Classifier]:
        """Yields the classifier in use now, which stays open until the block ends.

        For results that must come from one bundle: scores, and the description of their model.

        Raises:
            UsageError: The classifier is closed.
        """
        with self._lend() as version:
            yield version.classifier

    def reload(self) -> bool:
        """Checks now, in this thread.

        Returns:
            Whether the bundle was swapped.

        Raises:
            SnapshipError: The new bundle does not open; the old one stays.
            UsageError: The classifier is closed.
        """
        if self._closed:
            raise _closed()
        with self._reloading:
            stamp = stamp_of(self._path)
            if stamp == self._version.stamp:
                return False
            return self._replace(stamp)

    def close(self) -> None:
        """Stops the thread and releases the model; running calls finish first."""
        self._stop.set()
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._retire(self._version)
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()

    def __enter__(self) -> LiveClassifier:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _lend(self) -> Iterator[_OpenVersion]:
        with self._lock:
            if self._closed:
                raise _closed()
            version = self._version
            version.users += 1
        try:
            yield version
        finally:
            with self._lock:
                version.users -= 1
                last = version.retired and version.users == 0
            if last:
                version.classifier.close()

    def _stream(
        self, images: Iterator[ImageSource], top_k: int, workers: int, options: ResultOptions | None
    ) -> Generator[Result | ImageError, None, None]:
        finished = False

        def of(version: _OpenVersion) -> Iterator[ImageSource]:
            """The images that arrive while a version is in use; the first one always."""
            nonlocal finished
            while True:
                try:
                    image = next(images)
                except StopIteration:
                    finished = True
                    return
                yield image
                if version.retired:
                    return

        while not finished:
            with self._lend() as version:
                yield from version.classifier.classify_many(of(version), top_k, workers, options)

    def _open(self, stamp: Stamp) -> _OpenVersion:
        """Opens the stamped bundle and runs it once, so that the first user neither waits nor fails."""
        place = str(stamp[0])
        bundle = Bundle.open(place, in_memory=not is_version(place))
        classifier = Classifier.open(bundle, **self._opening)
        try:
            classifier.scores(np.zeros(classifier.input.shape, dtype=np.uint8))
        except BaseException:
            classifier.close()
            raise
        return _OpenVersion(classifier, stamp)

    def _look(self) -> None:
        """Swaps the bundle if it changed; errors are reported, never raised."""
        with self._reloading:
            stamp = stamp_of(self._path)
            if stamp == self._version.stamp:
                self._refused = None
                return
            if self._refused is not None and self._refused[0] == stamp and self._looks_to_retry > 0:
                self._looks_to_retry -= 1
                return
            try:
                self._replace(stamp)
            except SnapshipError as error:
                known = self._refused
                self._refused, self._looks_to_retry = (stamp, str(error)), _RETRY_LOOKS
                if known != self._refused:
                    _log.error("The old bundle stays in use: %s", error)
                    self._tell(Swap(Path(str(stamp[0])), error))

    def _replace(self, stamp: Stamp) -> bool:
        new = self._open(stamp)
        with self._lock:
            used = not self._closed
            old = self._version
            if used:
                self._version = new
        if not used:
            new.classifier.close()
            return False
        self._refused = None
        self._retire(old)
        _log.info("Now in use: %s", stamp[0])
        self._tell(Swap(Path(str(stamp[0]))))
        return True

    def _retire(self, version: _OpenVersion) -> None:
        with self._lock:
            version.retired = True
            idle = version.users == 0
        if idle:
            version.classifier.close()

    def _tell(self, swap: Swap) -> None:
        if self._on_swap is None:
            return
        try:
            self._on_swap(swap)
        except Exception:
            # It must not end the checking thread.
            _log.exception("on_swap failed")


def _watch(live: weakref.ref[LiveClassifier], stop: threading.Event, every_s: float) -> None:
    # A longer wait raises OverflowError; this one is hundreds of years on most systems.
    while not stop.wait(min(every_s, threading.TIMEOUT_MAX)):
        watched = live()
        if watched is None:
            return
        try:
            watched._look()
        except Exception:
            _log.exception("Checking for a new bundle failed; the old one stays in use")
        del watched


def _closed() -> UsageError:
    return UsageError("A classifier must be open. Received: a call after close(). Open the bundle again.")
