"""Engines shared by threads: each thread holds one alone while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        self._changed = threading.Condition()

    def raise_limit(self, limit: int) -> None:
        """Allows that many engines at a time; never fewer than before."""
        with self._changed:
            self._limit = max(self._limit, limit)
            self._changed.notify_all()

    @contextmanager
    def lend(self) -> Iterator[Engine]:
        """Lends an engine to the calling thread and waits while all are out.

        Raises:
            UsageError: The pool is closed.
        """
        engine = self._take()
        try:
            yield engine
        finally:
            with self._changed:
                if self._closed:
                    engine.close()
                else:
                    self._idle.append(engine)
                    self._changed.notify()

    def close(self) -> None:
        """Closes idle engines now and lent ones when they come back."""
        with self._changed:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._changed.notify_all()

    def _take(self) -> Engine:
        with self._changed:
            while True:
                if self._closed:
                    raise UsageError(
                        "A classifier must be open. Received: a call after close(). Open the bundle again."
                    )
                if self._idle:
                    return self._idle.pop()
                if self._made < self._limit:
                    self._made += 1
                    break
                self._changed.wait()
        try:
            return self._make()
        except BaseException:
            with self._changed:
                self._made -= 1
                self._changed.notify()
            raise
