"""Where a command writes its answers: stdout, or a file that appears when it is whole."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from edge_runtime.errors import UsageError
from edge_runtime.lookup import is_there
from edge_runtime.replacing import existing_parent
from edge_runtime.temporary import temporary_file
from edge_runtime.termination import interrupt_on_terminate
from edge_runtime.text import as_utf8


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
def written_aside(out: Path, option: str = "--out") -> Iterator[BinaryIO]:
    """Yields a temporary file that is renamed to ``out`` when the block ends well, else removed.

    Args:
        out: The file, replaced if it exists; a link's target rather than the link.
        option: What names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    with ExitStack() as stack:
        with _writable(out, option):
            place = _place(out, option)
            place.parent.mkdir(parents=True, exist_ok=True)
            # Opened at once, so that a place without access is known before the first image.
            aside = stack.enter_context(temporary_file(place.parent))
            stack.enter_context(interrupt_on_terminate())
        with _writable(out, option):
            yield aside.file
            aside.move_to(place)


def write_whole(path: Path, data: bytes | str, option: str = "--out") -> None:
    """Writes a file under a temporary name and renames it.

    Args:
        path: The file, replaced if it exists.
        data: Its content; text becomes UTF-8, with escapes for file names that are none.
        option: What names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    with written_aside(path, option) as file:
        file.write(as_utf8(data).encode() if isinstance(data, str) else data)


def check_file(out: Path | str, option: str) -> None:
    """Says before the work that a file could not be written after it; leaves nothing.

    Args:
        out: The file; folders above it need not exist.
        option: What names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    with _writable(Path(out), option):
        place = _place(Path(out), option)
        with temporary_file(existing_parent(place)):
            pass


def _place(out: Path, option: str) -> Path:
    try:
        place = Path(os.path.realpath(out))
    except ValueError as error:
        raise _unwritable(out, option, str(error)) from error
    if is_there(place) and not stat.S_ISREG(place.stat().st_mode):
        raise UsageError(
            # Renaming over /dev/null would replace the device, for all programs.
            f"An output must be an ordinary file. Received: {option} {out}. Pass another {option}."
        )
    return place


@contextmanager
def _writable(out: Path, option: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(out, option, error.strerror or str(error)) from error


def _unwritable(out: Path, option: str, reason: str) -> UsageError:
    return UsageError(
        f"An output must be writable. Received: {option} {out} ({reason}). Pass another {option}."
    )
