"""A pool of engines: each thread uses one exclusively while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_runtime.common.errors import UsageError
from edge_runtime.engines import Engine


class EnginePool:
    """At most ``limit`` engines of one model, created on demand.

    Last in, first out, so that a single thread always gets the engine whose memory is warm.
    """

    def __init__(self, make: Callable[[], Engine]) -> None:
        """Creates the first engine right away, so that a bad file fails here.

        Args:
            make: Loads the model.
        """
        self._make = make
        first = make()
        self.first: Engine = first
        self._idle: list[Engine] = [first]
        self._made = 1
        self._limit = 1
        self._closed = False
        self._waiting = 0
        # Reentrant: a signal handler may classify too.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def raise_limit(self, limit: int) -> None:
        """Raises the limit to that many engines; never lowers it."""
        with self._lock:
            self._limit = max(self._limit, limit)
            self._changed.notify_all()

    def take(self) -> Engine:
        """Takes an engine for the calling thread, waiting while all are in use.

        Every image passes through here right after an inference has emptied the CPU caches: hence a
        bare lock rather than a context manager. Return the engine in a ``finally``.

        Raises:
            UsageError: The pool is closed.
        """
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._wait()

    def give(self, engine: Engine) -> None:
        """Returns an engine from :meth:`take`."""
        with self._lock:
            if self._closed:
                engine.close()
                return
            self._idle.append(engine)
            if self._waiting:
                self._changed.notify()

    def close(self) -> None:
        """Closes idle engines now and the others when they are returned."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._changed.notify_all()

    def _wait(self) -> Engine:
        with self._lock:
            while not self._idle:
                if self._closed:
                    raise UsageError(
                        "A classifier must be open. Received: a call after close(). Open the bundle again."
                    )
                if self._made < self._limit:
                    self._made += 1
                    break
                self._waiting += 1
                try:
                    self._changed.wait()
                finally:
                    self._waiting -= 1
            else:
                return self._idle.pop()
        try:
            return self._make()
        except BaseException:
            with self._lock:
                self._made -= 1
                self._changed.notify()
            raise
