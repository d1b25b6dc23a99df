"""A service whose bundle may be replaced while it runs, by ``snapship pull`` or by hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edge_runtime.classifier import Classifier
from edge_runtime.updates.live_classifier import LiveClassifier, Swap
from serverless.app.core.service import ServedModel, Service, describe, workers_of


class ReloadingService(Service):
    """A :class:`~serverless.app.core.service.Service` that switches to a new bundle when one arrives.

    A request is answered by a single bundle, which the answer names. ``/ready`` replays the golden
    examples of each new bundle and reports on the one in use.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        *,
        workers: int | None = None,
        threads: int = 1,
        on_swap: Callable[[Swap], None] | None = None,
        **opening: Any,
    ) -> None:
        """Opens the current bundle.

        Args:
            bundle: A folder that ``snapship pull`` fills, its ``current``, or any bundle.
            workers: Images classified at once; None takes the number of processors, at most 4.
            threads: Threads per inference.
            on_swap: Called for each new bundle, also one that was refused.
            opening: Any other argument of :class:`~edge_runtime.updates.LiveClassifier`.

        Raises:
            SnapshipError: As :meth:`Classifier.open`.
        """
        self._on_swap, self._workers, self._inference_threads = on_swap, workers_of(workers), threads
        self._renewing = threading.Lock()
        self._serving = threading.Event()
        self._live = LiveClassifier(bundle, threads=threads, on_swap=self._swapped, **opening)
        with self._live.lent() as classifier:
            super().__init__(self._described(classifier), workers=self._workers)
        self._known = [self._current]
        self._serving.set()

    @contextmanager
    def lent(self) -> Iterator[ServedModel]:
        """Lends the bundle in use; it stays open until the block ends, even if it is replaced meanwhile."""
        with self._live.lent() as classifier:
            yield self._of(classifier)

    def close(self) -> None:
        """Stops the threads and the watch for new bundles, and closes the model."""
        super().close()
        self._live.close()

    def _of(self, classifier: Classifier) -> ServedModel:
        """The description of a classifier, made when it is first lent."""
        with self._renewing:
            for behind in self._known:
                if behind.model is classifier:
                    return behind
            behind = self._described(classifier)
            behind.readiness.start()
            # The previous one may still be needed by a request that has just been lent it.
            self._known = [self._known[-1], behind]
            return behind

    def _described(self, classifier: Classifier) -> ServedModel:
        return describe(classifier, self._workers, self._inference_threads)

    def _swapped(self, swap: Swap) -> None:
        if swap.error is None and self._serving.is_set():
            # Now rather than at the next request, so that /ready waits less.
            with self.lent():
                pass
        if self._on_swap is not None:
            self._on_swap(swap)
