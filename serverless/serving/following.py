"""A service whose bundle may be replaced while it runs: by ``snapship pull``, or by another one in its place."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edge_runtime.classifier import Classifier
from edge_runtime.updates.live import LiveClassifier, Swap
from serverless.app.readiness import Readiness, make_selftest
from serverless.app.service import ServedModel, Service, describe, workers_of


class ReloadingService(Service):
    """As :class:`~serverless.app.service.Service`, of the bundle that is there now.

    A request is answered by one bundle from its beginning to its end, and says of which. ``/ready``
    replays the golden examples of each bundle anew, and speaks of the one in use.
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
        """Opens the bundle that is there now.

        Args:
            bundle: A folder that ``snapship pull`` fills, its ``current``, or any bundle.
            workers: Images in work at once; None takes the processors, at most 4.
            threads: Threads of one inference.
            on_swap: Told of each bundle that came, and of those that were refused.
            opening: Any other argument of :class:`~edge_runtime.updates.LiveClassifier`.

        Raises:
            SnapshipError: As :meth:`Classifier.open`.
        """
        self._on_swap, self._workers, self._inference_threads = on_swap, workers_of(workers), threads
        self._renewing = threading.Lock()
        self._serving = threading.Event()
        self._live = LiveClassifier(bundle, threads=threads, on_swap=self._swapped, **opening)
        with self._live.lent() as classifier:
            served, info = describe(classifier, self._workers)
            super().__init__(
                classifier,
                served,
                workers=self._workers,
                info=info,
                selftest=make_selftest(classifier, threads),
            )
        self._known = [self._current]
        self._serving.set()

    @contextmanager
    def lent(self) -> Iterator[ServedModel]:
        """Lends the bundle in use; it stays open until the block ends, whatever comes meanwhile."""
        with self._live.lent() as classifier:
            yield self._of(classifier)

    def close(self) -> None:
        """Ends the threads, the look-out for another bundle, and the model."""
        super().close()
        self._live.close()

    def _of(self, classifier: Classifier) -> ServedModel:
        """What is said of a classifier, made when it is first lent."""
        with self._renewing:
            for behind in self._known:
                if behind.model is classifier:
                    return behind
            served, info = describe(classifier, self._workers)
            readiness = Readiness(make_selftest(classifier, self._inference_threads))
            readiness.start()
            # The one before it is still asked for by a request that had just been lent it.
            self._known = [self._known[-1], ServedModel(classifier, served, info, readiness)]
            return self._known[-1]

    def _swapped(self, swap: Swap) -> None:
        if swap.error is None and self._serving.is_set():
            # Now and not at the next request: who asks whether it is ready waits less.
            with self.lent():
                pass
        if self._on_swap is not None:
            self._on_swap(swap)
