"""Output files that appear whole or not at all, whatever ends the process.

While one is written, SIGTERM acts like Ctrl-C, so that its temporary file is removed.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from edge_runtime.common.errors import UsageError, reason_of
from edge_runtime.common.temporary import temporary_file
from edge_runtime.common.text import as_utf8


@contextmanager
def text_stream(out: Path | None) -> Iterator[TextIO]:
    """Yields stdout, or a UTF-8 file that appears when the block succeeds.

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
        # Flushes, and leaves closing to written_aside.
        text.detach()


@contextmanager
def written_aside(out: Path, option: str = "--out") -> Iterator[BinaryIO]:
    """Yields a temporary file that is renamed to ``out`` when the block succeeds, else removed.

    Args:
        out: The file, replaced if it exists; of a link, its target is replaced.
        option: The option that names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    with ExitStack() as stack:
        with usable_path(out, option):
            place = _place(out, option)
            place.parent.mkdir(parents=True, exist_ok=True)
            # Opened now, so that a place without access is known before the first image.
            aside = stack.enter_context(temporary_file(place.parent))
            stack.enter_context(interrupt_on_terminate())
        with usable_path(out, option, refused=OSError):
            yield aside.file
            aside.move_to(place)


def write_whole(path: Path, data: bytes | str, option: str = "--out") -> None:
    """Writes a file under a temporary name, then renames it.

    Args:
        path: The file, replaced if it exists.
        data: Its content; text becomes UTF-8, with escapes for lone surrogates of file names.
        option: The option that names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    with written_aside(path, option) as file:
        file.write(as_utf8(data).encode() if isinstance(data, str) else data)


def replace_file(path: Path, data: bytes) -> None:
    """Replaces a file and syncs its folder, so that a power loss leaves the old or the new content.

    Args:
        path: The file; its folder exists.
        data: The new content.

    Raises:
        OSError: It cannot be written.
    """
    with temporary_file(path.parent) as aside:
        aside.file.write(data)
        aside.move_to(path)
    sync_folder(path.parent)


def check_file(out: Path | str, option: str) -> None:
    """Checks before the work that a file can be written after it; leaves nothing behind.

    Args:
        out: The file; folders above it need not exist.
        option: The option that names it, for messages.

    Raises:
        UsageError: The place cannot be written, or is a folder or a device.
    """
    with usable_path(Path(out), option):
        place = _place(Path(out), option)
        with temporary_file(existing_parent(place)):
            pass


@contextmanager
def usable_path(
    path: Path,
    option: str,
    rule: str = "An output must be writable",
    *,
    refused: type[Exception] | tuple[type[Exception], ...] = (OSError, ValueError),
) -> Iterator[None]:
    """Turns errors of the file system into one that names the option.

    Args:
        path: What the option was given.
        option: Its name.
        rule: What the message demands.
        refused: What to turn; a ``ValueError`` is a name with a NUL character.

    Raises:
        UsageError: The path cannot be used.
    """
    try:
        yield
    except BrokenPipeError:
        # The reader of stdout or stderr has gone; the path is fine.
        raise
    except refused as error:
        raise UsageError(
            f"{rule}. Received: {option} {path} ({reason_of(error)}). Pass another {option}."
        ) from error


def existing_parent(path: Path) -> Path:
    """The innermost folder above a path that exists."""
    place = path.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def sync_folder(folder: Path) -> None:
    """Writes a folder's names to the disk, where the system can.

    A rename is atomic, but only this makes it survive a power loss.
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _place(out: Path, option: str) -> Path:
    place = Path(os.path.realpath(out))
    if is_there(place) and not stat.S_ISREG(place.stat().st_mode):
        raise UsageError(
            # Renaming over /dev/null would replace the device, for all programs.
            f"An output must be an ordinary file. Received: {option} {out}. Pass another {option}."
        )
    return place


def is_there(path: Path, *, follow_links: bool = True) -> bool:
    """Whether a path exists.

    Unlike ``Path.exists``, ``is_dir`` and ``is_file``, which since Python 3.14 return False for a name
    that is too long or not accessible, so that the error would surface only after the work.

    Args:
        path: The path.
        follow_links: Whether a link counts as what it points to.

    Raises:
        OSError: It cannot be looked up.
    """
    try:
        os.stat(path, follow_symlinks=follow_links)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        # ValueError: a NUL character, which no file's name holds.
        return False
    return True


@contextmanager
def on_terminate() -> Iterator[threading.Event]:
    """Yields an event that SIGTERM sets; outside the main thread nothing sets it."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def interrupt_on_terminate() -> Iterator[None]:
    """Turns SIGTERM into KeyboardInterrupt, so that temporary files are removed; keeps an existing handler."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def reserve(file: int, size: int) -> None:
    """Gives an empty file its full size. Of a mapped file, a full disk would otherwise end the process.

    Args:
        file: Its descriptor, open for writing.
        size: In bytes, at least 1.

    Raises:
        OSError: The disk has no room for it.
    """
    os.truncate(file, size)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            # Some file systems cannot, and some C libraries do not write zeros then.
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
