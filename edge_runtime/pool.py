"""Engines shared by threads: each thread holds one alone while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_runtime.engines import Engine
from edge_runtime.errors import UsageError


class EnginePool:
    """At most ``limit`` engines of one model, made when they are first needed.

    The last one returned is the next one lent, so that a single thread always
    gets the engine whose memory is warm.
    """

    def __init__(self, make: Callable[[], Engine]) -> None:
        """Makes the first engine at once, so that a bad file is known at once.

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
        # Of one thread's again: a signal handler may classify too.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def raise_limit(self, limit: int) -> None:
        """Allows that many engines at a time; never fewer than before."""
        with self._lock:
            self._limit = max(self._limit, limit)
            self._changed.notify_all()

    def take(self) -> Engine:
        """Takes an engine for the calling thread alone, and waits while all are out.

        Every image passes here right after an inference has emptied the processor's caches: a
        lock without a method of Python's around it, and no generator. Put it back in a ``finally``.

        Raises:
            UsageError: The pool is closed.
        """
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._wait()

    def give(self, engine: Engine) -> None:
        """Puts an engine back that :meth:`take` answered."""
        with self._lock:
            if self._closed:
                engine.close()
                return
            self._idle.append(engine)
            if self._waiting:
                self._changed.notify()

    def close(self) -> None:
        """Closes idle engines now and lent ones when they come back."""
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
