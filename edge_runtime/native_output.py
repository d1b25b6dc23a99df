"""What native code writes to stderr past Python: the interpreters and converters have no switch for it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Drops what native code writes to stderr meanwhile, unless SNAPSHIP_DEBUG is set.

    For commands and for conversions; the runtime itself never touches the descriptors of
    the program that it is part of. Whatever matters arrives as an exception.
    """
    if os.environ.get("SNAPSHIP_DEBUG"):
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    try:
        sys.stderr.flush()
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(kept, 2)
    finally:
        os.close(kept)
