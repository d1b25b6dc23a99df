"""A service manager's SIGTERM as an event, so that the work in hand is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_terminate() -> Iterator[threading.Event]:
    """Yields an event that SIGTERM sets meanwhile; outside the main thread nothing sets it."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, before)
