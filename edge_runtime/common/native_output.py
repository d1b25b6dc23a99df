"""Silences native code that writes to stderr or stdout; the interpreters and converters have no switch for it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_depth = 0
_kept = -1


@contextmanager
def quiet() -> Iterator[None]:
    """Discards what native code writes to stderr, unless SNAPSHIP_DEBUG is set.

    For commands and conversions; the runtime itself never touches the descriptors of its
    host program. Errors arrive as exceptions. Blocks may nest and overlap in threads: the
    first one redirects, the last one restores.
    """
    if os.environ.get("SNAPSHIP_DEBUG"):
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


@contextmanager
def stdout_discarded() -> Iterator[None]:
    """Discards what native code, and Python's own, writes to stdout; for blocks that do not overlap in threads."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:
        # A daemon without stdout has nothing to hide.
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.close(sink)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def restore() -> None:
    """Restores stderr, even inside a block; for a command that ends with an error.

    Ctrl-C can arrive while a block is entered or left, and then nothing else restores it.
    """
    global _depth
    if _kept >= 0:
        _depth = 1
        _leave()


def write_past(text: str) -> None:
    """Writes to what stderr was before any block, which stays in force.

    For a process that ends at once: after :func:`restore`, native threads could add lines of their own.

    Args:
        text: What to write.
    """
    os.write(_kept if _kept >= 0 else 2, text.encode())


def _enter() -> None:
    global _depth, _kept
    with _lock:
        if _depth == 0:
            try:
                _kept = os.dup(2)
            except OSError:
                # A daemon without stderr has nothing to hide.
                _kept = -1
            else:
                sys.stderr.flush()
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, 2)
                os.close(sink)
        _depth += 1


def _leave() -> None:
    global _depth, _kept
    with _lock:
        # Never below 0: restore() may have ended the block before.
        _depth = max(0, _depth - 1)
        if _depth == 0 and _kept >= 0:
            sys.stderr.flush()
            os.dup2(_kept, 2)
            os.close(_kept)
            _kept = -1
