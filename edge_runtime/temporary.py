"""Files and folders in the making: claimed by their process, and removed when it is gone.

::

    .snapship-HOSTBOOT-RANDOM.tmp        a file, locked while it is written
    .snapship-HOSTBOOT-RANDOM.tmp/lock   a folder, claimed by the lock on this file
                                 /new    what is being made
                                 /old    what it replaces, where the two are not exchanged in one step
                                 /name   and what that was called

The system gives a lock back when its process ends, however it ends: what can be locked was left by
a process that was killed. Whoever makes a temporary removes such ones beside it first, and puts an
``old`` whose place is empty back there. On a network folder the locks of other machines may not be
seen, so names say whose they are: by host and, as each container has a host name of its own, by
boot. Those of other machines stay until nobody wrote to them for a week.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from edge_runtime.errors import UsageError

_NAME = re.compile(r"\.snapship-([0-9a-f]{4})([0-9a-f]{4})-[a-z0-9_]{8}\.tmp")
_LOCK, _NEW, _OLD, _OLD_NAME = "lock", "new", "old", "name"
_FOREIGN_S = 7 * 86_400.0
"""Seconds without a write after which a temporary of another machine belongs to nobody."""


class TemporaryFile:
    """A file that is not at its place yet, see :func:`temporary_file`.

    Attributes:
        path: Where it is now.
        file: It, open for writing.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file

    def move_to(self, place: Path, mode: int = 0o644) -> None:
        """Renames it, once its content is on the disk.

        Args:
            place: On the same disk; a file that is there is replaced.
            mode: Its permissions.

        Raises:
            OSError: The disk is full, or the place cannot be written.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        os.chmod(self.path, mode)
        if os.name == "nt":
            # Windows renames no open file.
            self.file.close()
        os.replace(self.path, place)


@contextmanager
def temporary_file(folder: Path) -> Iterator[TemporaryFile]:
    """Yields a new file, which is gone when the block ends unless it was moved to its place.

    Args:
        folder: An existing folder, on the disk of that place.

    Raises:
        OSError: It cannot be written.
    """
    import tempfile

    remove_abandoned(folder)
    while True:
        handle, name = tempfile.mkstemp(prefix=f".snapship-{_machine()}-", suffix=".tmp", dir=folder)
        if _claimed(handle, name):
            break
    path = Path(name)
    file = os.fdopen(handle, "wb")
    try:
        yield TemporaryFile(path, file)
    finally:
        # What was moved is on the disk; of the rest, a full disk may not even take what is buffered.
        with suppress(OSError):
            file.close()
        path.unlink(missing_ok=True)


@contextmanager
def temporary_folder(folder: Path | None = None) -> Iterator[Path]:
    """Yields a new, empty folder, which is gone when the block ends unless it was moved away.

    Args:
        folder: An existing folder to make it in; None for the system's folder for temporary files.

    Raises:
        OSError: It cannot be written.
        UsageError: The system's folder for temporary files cannot.
    """
    try:
        claimed, handle = _claimed_folder(folder)
    except OSError as error:
        if folder is not None:
            raise
        raise UsageError(
            f"Temporary files need a folder that can be written. Received: {error}. "
            "Free some space, or set TMPDIR to another folder."
        ) from error
    try:
        (claimed / _NEW).mkdir()
        yield claimed / _NEW
    finally:
        _end(claimed, handle)


def _claimed_folder(folder: Path | None) -> tuple[Path, int]:
    """Makes a folder and locks it; returns it and the lock."""
    import tempfile

    place = Path(tempfile.gettempdir()) if folder is None else folder
    remove_abandoned(place)
    while True:
        claimed = Path(tempfile.mkdtemp(prefix=f".snapship-{_machine()}-", suffix=".tmp", dir=place))
        lock = claimed / _LOCK
        # Between these two steps another process may take it for an abandoned one.
        with suppress(FileNotFoundError):
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if _claimed(handle, lock):
                return claimed, handle


@contextmanager
def temporary_files_together() -> Iterator[None]:
    """Has all temporary files of a command made in one folder, so that a killed one leaves that alone.

    Converters and package installers make their own, under names that nobody can tell apart later.
    For programs, not for libraries: it changes where the whole process puts them.
    """
    import tempfile

    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    with ExitStack() as stack:
        folder = None
        with suppress(OSError, UsageError):
            folder = stack.enter_context(temporary_folder())
        if folder is None:
            # A command that needs none still works; one that does says so itself.
            yield
            return
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before
            if variable is None:
                os.environ.pop("TMPDIR", None)
            else:
                os.environ["TMPDIR"] = variable


def remove_abandoned(folder: Path) -> None:
    """Removes what killed processes left in a folder; what they had set aside is put back.

    Args:
        folder: Any folder; one that cannot be read or changed stays as it is.
    """
    for path in _temporaries(folder):
        with suppress(OSError):
            _clear(path)


def put_back(place: Path) -> None:
    """Brings back what a process set aside that was killed before anything new was at its place.

    Costs one look where something is there.

    Args:
        place: What shall be read or replaced.
    """
    if os.path.lexists(place):
        return
    for path in _temporaries(place.parent):
        with suppress(OSError):
            if (path / _OLD_NAME).read_bytes() == os.fsencode(place.name):
                _clear(path)


def set_aside(place: Path, new: Path) -> None:
    """Renames a folder into the temporary one that will replace it, from where it can be put back.

    It is, when the temporary folder ends and nothing is at its place.

    Args:
        place: The folder.
        new: What :func:`temporary_folder` yielded, in the same folder.
    """
    claimed = new.parent
    with (claimed / _OLD_NAME).open("wb") as file:
        file.write(os.fsencode(place.name))
        file.flush()
        os.fsync(file.fileno())
    os.rename(place, claimed / _OLD)


def _temporaries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name)]
    except OSError:
        return []


def _clear(path: Path) -> None:
    """Removes a temporary whose process is gone; does nothing to any other."""
    state = path.lstat()
    if hasattr(os, "geteuid") and state.st_uid != os.geteuid():
        # In a folder that all may write to, its content would be anybody's choice.
        return
    if not _of_this_machine(path.name) and _last_write(path) > time.time() - _FOREIGN_S:
        return
    is_folder = stat.S_ISDIR(state.st_mode)
    if not is_folder and not stat.S_ISREG(state.st_mode):
        return
    if is_folder:
        # Empty where it was not claimed yet: who made it then makes another.
        with suppress(OSError):
            path.rmdir()
            return
    # A program that a killed process had started may write on after the lock was removed, so one is made.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if is_folder else 0)
    handle = os.open(path / _LOCK if is_folder else path, flags, 0o600)
    if not _lock(handle, wait=False):
        os.close(handle)
    elif is_folder:
        _end(path, handle)
    else:
        _remove_locked(path, handle)


def _end(claimed: Path, handle: int) -> None:
    """Removes a claimed folder and gives up the claim; what it replaced goes back to an empty place."""
    try:
        _restore(claimed)
        # The lock last: what is cut off here is still an abandoned folder.
        for entry in (_NEW, _OLD, _OLD_NAME):
            _delete(claimed / entry)
    except OSError:
        # Left for the next run.
        os.close(handle)
        return
    with suppress(OSError):
        _remove_locked(claimed / _LOCK, handle)
        claimed.rmdir()


def _restore(claimed: Path) -> None:
    old = claimed / _OLD
    if not os.path.lexists(old):
        return
    name = os.fsdecode((claimed / _OLD_NAME).read_bytes())
    if not name or os.path.basename(name) != name:
        raise OSError(f"{claimed} does not say what it replaced")
    if not os.path.lexists(claimed.parent / name):
        os.rename(old, claimed.parent / name)


def _delete(path: Path) -> None:
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _claimed(handle: int, path: str | Path) -> bool:
    """Locks what was just made; False, and closed, when another process removed it meanwhile."""
    _lock(handle, wait=True)
    try:
        if os.path.samestat(os.fstat(handle), os.lstat(path)):
            return True
    except FileNotFoundError:
        pass
    os.close(handle)
    return False


def _remove_locked(path: Path, handle: int) -> None:
    """Removes a locked file, then unlocks it: who just made it may wait for that, see :func:`_claimed`."""
    if os.name == "nt":
        # Windows removes no open file.
        os.close(handle)
        path.unlink(missing_ok=True)
        return
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _lock(handle: int, *, wait: bool) -> bool:
    """Locks a file until it is closed; False when it is locked, or the file system has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


@cache
def _machine() -> str:
    """Eight hex digits: four of this host's name, four of this boot of its kernel."""
    # Here, as predict does without it.
    import hashlib
    import platform

    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except (OSError, ValueError):
        boot = platform.node()
    return "".join(hashlib.sha256(text.encode()).hexdigest()[:4] for text in (platform.node(), boot))


def _of_this_machine(name: str) -> bool:
    found = _NAME.fullmatch(name)
    return found is not None and (found[1] == _machine()[:4] or found[2] == _machine()[4:])


def _last_write(path: Path) -> float:
    """The newest time of a file or of anything in a folder."""
    paths = [
        path,
        *(Path(place, name) for place, folders, files in os.walk(path) for name in folders + files),
    ]
    return max(entry.lstat().st_mtime for entry in paths)
