"""Importing Keras and TensorFlow: thousands of modules, which take seconds."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPTIONAL = ("jax", "matplotlib.pyplot", "sklearn")
"""What they import if it is installed, for parts that no command uses: a third of the time of their import."""

_alone = False


def command_runs_alone() -> None:
    """Says that this process is the command's, and nobody else's code runs in it."""
    global _alone
    _alone = True


@contextmanager
def large_import(*needed: str) -> Iterator[None]:
    """Around the import of a large package.

    The garbage collector pauses: it would run hundreds of times and free nothing, for a tenth of the time. One
    that is off stays off. Where somebody has frozen what the process loaded first, as the command does, these
    modules are frozen as well: each collection of an export would take a third of a second to look at them.

    In the command's own process, :data:`OPTIONAL` is not imported with them.

    Args:
        needed: What of it the caller needs.
    """
    hidden = [name for name in OPTIONAL if _alone and name not in needed and name not in sys.modules]
    enabled = gc.isenabled()
    gc.disable()
    # None makes their import an ImportError, as if they were not installed.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if gc.get_freeze_count():
            gc.freeze()
        if enabled:
            gc.enable()
