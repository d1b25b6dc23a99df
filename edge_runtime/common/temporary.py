"""Temporary files and folders, claimed by their process and removed after it is gone.

::

    .snapship-HOSTBOOT-RANDOM.tmp        a file, locked while it is written
    .snapship-HOSTBOOT-RANDOM.tmp/lock   a folder, claimed by the lock on this file
                                 /new    the new content
                                 /old    the replaced content, where the two cannot be exchanged atomically
                                 /name   and its name

The system releases a lock when its process ends, however it ends: a temporary that can be locked was
left by a killed process. Creating a temporary first removes such leftovers beside it, and moves an
``old`` back to its place if that is empty. On a network folder the locks of other machines may be
invisible, so names identify the owner: by host and, as each container has its own host name, by
boot. Temporaries of other machines stay until nobody has written to them for a week.
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

from edge_runtime.common.errors import UsageError

_NAME = r"\.snapship-([0-9a-f]{4})([0-9a-f]{4})-[a-z0-9_]{8}\.tmp"
_LOCK, _NEW, _OLD, _OLD_NAME = "lock", "new", "old", "name"
_FOREIGN_S = 7 * 86_400.0
"""Seconds without a write after which a temporary of another machine is abandoned."""


class TemporaryFile:
    """A temporary file, see :func:`temporary_file`.

    Attributes:
        path: Its current path.
        file: The file, open for writing.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file

    def move_to(self, place: Path, mode: int = 0o644) -> None:
        """Syncs the file to the disk and renames it.

        Args:
            place: The target on the same disk; an existing file is replaced.
            mode: Permissions of the file.

        Raises:
            OSError: The disk is full, or the place cannot be written.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        os.chmod(self.path, mode)
        if os.name == "nt":
            # Windows cannot rename an open file.
            self.file.close()
        os.replace(self.path, place)


@contextmanager
def temporary_file(folder: Path) -> Iterator[TemporaryFile]:
    """Yields a new file, removed when the block ends unless it was moved to its place.

    Args:
        folder: An existing folder, on the same disk as the final place.

    Raises:
        OSError: The folder cannot be written.
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
        # A moved file is synced; for others, a full disk may not even take the buffered rest.
        with suppress(OSError):
            file.close()
        path.unlink(missing_ok=True)


@contextmanager
def temporary_folder(folder: Path | None = None) -> Iterator[Path]:
    """Yields a new, empty folder, removed when the block ends unless it was moved away.

    Args:
        folder: An existing folder to create it in; None for the system's temporary folder.

    Raises:
        OSError: The folder cannot be written.
        UsageError: The system's temporary folder cannot be written.
    """
    try:
        claimed, handle = _claimed_folder(folder)
    except OSError as error:
        if folder is not None:
            raise
        raise UsageError(
            f"Temporary files need a writable folder. Received: {error}. "
            "Free some space, or set TMPDIR to another folder."
        ) from error
    try:
        (claimed / _NEW).mkdir()
        yield claimed / _NEW
    finally:
        _end(claimed, handle)


def _claimed_folder(folder: Path | None) -> tuple[Path, int]:
    """Creates and locks a folder; returns it and the lock."""
    import tempfile

    place = Path(tempfile.gettempdir()) if folder is None else folder
    remove_abandoned(place)
    while True:
        claimed = Path(tempfile.mkdtemp(prefix=f".snapship-{_machine()}-", suffix=".tmp", dir=place))
        lock = claimed / _LOCK
        # Between these two steps, another process may take it for abandoned.
        with suppress(FileNotFoundError):
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if _claimed(handle, lock):
                return claimed, handle


@contextmanager
def temporary_files_together() -> Iterator[None]:
    """Puts all temporary files of a command into one folder, so that a killed one leaves only that.

    Converters and package installers create their own, under names that cannot be attributed later.
    For programs, not for libraries: it changes the temporary folder of the whole process.
    """
    import tempfile

    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    with ExitStack() as stack:
        folder = None
        with suppress(OSError, UsageError):
            folder = stack.enter_context(temporary_folder())
        if folder is None:
            # A command that needs none still works; one that does reports it.
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
    """Removes what killed processes left in a folder, and puts back what they had set aside.

    Args:
        folder: Any folder; one that cannot be read or changed is left alone.
    """
    for path in _temporaries(folder):
        with suppress(OSError):
            _clear(path)


def put_back(place: Path) -> None:
    """Puts back what a killed process had set aside and not yet replaced.

    Costs one system call if the place exists.

    Args:
        place: The path about to be read or replaced.
    """
    if os.path.lexists(place):
        return
    for path in _temporaries(place.parent):
        with suppress(OSError):
            if (path / _OLD_NAME).read_bytes() == os.fsencode(place.name):
                _clear(path)


def set_aside(place: Path, new: Path) -> None:
    """Moves a folder into the temporary one that will replace it.

    It is put back if the temporary folder is removed while the place is empty.

    Args:
        place: The folder.
        new: A result of :func:`temporary_folder`, in the same folder.
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
            return [Path(entry.path) for entry in entries if re.fullmatch(_NAME, entry.name)]
    except OSError:
        return []


def _clear(path: Path) -> None:
    """Removes a temporary if its process is gone."""
    state = path.lstat()
    if hasattr(os, "geteuid") and state.st_uid != os.geteuid():
        # In a folder writable by all, anyone could have chosen its content.
        return
    if not _of_this_machine(path.name) and _last_write(path) > time.time() - _FOREIGN_S:
        return
    is_folder = stat.S_ISDIR(state.st_mode)
    if not is_folder and not stat.S_ISREG(state.st_mode):
        return
    if is_folder:
        # Succeeds if it was not claimed yet; its creator then creates another.
        with suppress(OSError):
            path.rmdir()
            return
    # A child of a killed process may keep writing after the lock was removed, so recreate it.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if is_folder else 0)
    handle = os.open(path / _LOCK if is_folder else path, flags, 0o600)
    if not _lock(handle, wait=False):
        os.close(handle)
    elif is_folder:
        _end(path, handle)
    else:
        _remove_locked(path, handle)


def _end(claimed: Path, handle: int) -> None:
    """Removes a claimed folder and its claim; puts back what it replaced if that place is empty."""
    try:
        _restore(claimed)
        # The lock last: if interrupted here, the rest is still an abandoned folder.
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
    """Locks a file just created; closes it and returns False if another process removed it meanwhile."""
    _lock(handle, wait=True)
    try:
        if os.path.samestat(os.fstat(handle), os.lstat(path)):
            return True
    except FileNotFoundError:
        pass
    os.close(handle)
    return False


def _remove_locked(path: Path, handle: int) -> None:
    """Removes a locked file, then unlocks it: its creator may be waiting, see :func:`_claimed`."""
    if os.name == "nt":
        # Windows cannot remove an open file.
        os.close(handle)
        path.unlink(missing_ok=True)
        return
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _lock(handle: int, *, wait: bool) -> bool:
    """Locks a file until it is closed; False if it is locked or the file system has no locks."""
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
    """Eight hex digits: four for the host name, four for the boot of the kernel."""
    # Here, as predict does not need it.
    import hashlib
    import platform

    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except (OSError, ValueError):
        boot = platform.node()
    return "".join(hashlib.sha256(text.encode()).hexdigest()[:4] for text in (platform.node(), boot))


def _of_this_machine(name: str) -> bool:
    found = re.fullmatch(_NAME, name)
    return found is not None and (found[1] == _machine()[:4] or found[2] == _machine()[4:])


def _last_write(path: Path) -> float:
    """The newest modification time of a file or of anything in a folder."""
    inside = (Path(place, name) for place, folders, files in os.walk(path) for name in folders + files)
    return max(entry.lstat().st_mtime for entry in (path, *inside))
