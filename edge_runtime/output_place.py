"""Where a command writes its answers: stdout, or a file that appears when it is whole."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from edge_runtime.errors import UsageError
from edge_runtime.lookup import is_there
from edge_runtime.termination import interrupt_on_terminate


@contextmanager
def text_stream(out: Path | None) -> Iterator[TextIO]:
    """Yields stdout, or a UTF-8 file that is at its place when the block ends well.

    Args:
        out: The file; None for stdout.

    Raises:
        UsageError: The file cannot be written.
    """
    if out is None:
        yield sys.stdout
        return
    with written_aside(out) as file:
        # A file name need not be text; the csv module writes line ends itself.
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        yield text
        # Writes what it holds, and leaves closing to the one that opened.
        text.detach()


@contextmanager
def written_aside(out: Path) -> Iterator[BinaryIO]:
    """Yields a temporary file that is renamed to ``out`` when the block ends well, else removed.

    Args:
        out: The file, replaced if it exists; a link's target rather than the link.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    import tempfile

    try:
        place = Path(os.path.realpath(out))
        if is_there(place) and not stat.S_ISREG(place.stat().st_mode):
            raise UsageError(
                # Renaming over /dev/null would replace the device, for all programs.
                f"An output must be an ordinary file. Received: {out}. Pass another path, or redirect stdout."
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        # Opened at once, so that a place without access is known before the first image.
        handle, aside = tempfile.mkstemp(prefix=".snapship-", dir=place.parent)
    except (OSError, ValueError) as error:
        raise _unwritable(out, error) from error
    try:
        with interrupt_on_terminate():
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(aside, 0o644)
            os.replace(aside, place)
    except OSError as error:
        Path(aside).unlink(missing_ok=True)
        if isinstance(error, BrokenPipeError):
            raise
        raise _unwritable(out, error) from error
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _unwritable(out: Path, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(f"An output must be writable. Received: {out} ({reason}). Pass another --out.")
