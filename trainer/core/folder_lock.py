"""A lock on a folder that one process may work in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.common.errors import UsageError


@contextmanager
def held(folder: Path, rule: str, cure: str) -> Iterator[None]:
    """Holds the lock of a folder; the system releases it when the process ends, even if killed.

    Args:
        folder: An existing folder.
        rule: For the message, such as ``A run must be trained by one process``.
        cure: What to do while another process holds it.

    Raises:
        UsageError: Another process holds it.
        OSError: The folder cannot be written.
    """
    place = folder / "lock"
    with place.open("w") as lock:
        try:
            import fcntl
        except ImportError:
            # Windows: the user must not run the same command twice at once.
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"{rule}. Received: another process holds {place}. {cure}.") from error
        yield
