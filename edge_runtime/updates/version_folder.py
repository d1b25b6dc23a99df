"""The folder that holds the versions of a bundle on a device.

::

    DIR/current       link to versions/<id>; open it with Classifier.open("DIR/current")
    DIR/previous      link to the version before it, for people; a rollback reads the record
    DIR/versions/<id>/      a verified bundle folder
    DIR/versions/<id>.json  its record: which version was current before it, where it came from
    DIR/.incoming/    a download that is not verified yet
    DIR/.lock         held during changes

The only switch is the rename of ``current``: since each version's own record says what came
before it, the new version and its predecessor change in a single step, and a power loss leaves one
of two complete states. Anything else it leaves is unreferenced, and the next pull removes it.

Programs that follow a bundle compare :func:`stamp_of` it, two system calls, with that of before.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from edge_runtime.bundle.labels import LABELS_FILE
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.bundle.strict_json import Strict, decode_json, encode_json
from edge_runtime.common.atomic_file import replace_file, sync_folder, usable_path
from edge_runtime.common.errors import BundleError, UsageError

CURRENT, PREVIOUS, VERSIONS = "current", "previous", "versions"
INCOMING, LOCK = ".incoming", ".lock"
ARCHIVE, BUNDLE = "bundle.zip", "bundle"

_ASIDE = ".next"
"""Suffix of files and links that are not in place yet."""

_NAME = re.compile(r"[0-9a-f]{16}(-\d+)?")
_OURS = re.compile(rf"({_NAME.pattern})(\.json(\{_ASIDE})?)?")
_MAX_RECORD_BYTES = 100_000

Stamp: TypeAlias = tuple[str | int, ...]
"""The resolved path, then its state in the file system."""


class VersionRecord(Strict, frozen=True):
    """``versions/<id>.json``.

    Attributes:
        schema_version: 1.
        previous: The version that was current before this one; None for the first.
        source: Where it was pulled from, without the query of a URL.
        signed_by: Id of the key that verified its signature; None when no key was configured.
    """

    schema_version: Literal[1]
    previous: str | None
    source: str
    signed_by: str | None = None


class VersionFolder:
    """A folder of versions, locked by this process.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def incoming(self) -> Path:
        """Where a new version is built; on the same disk as :attr:`versions`."""
        return self.root / INCOMING

    @property
    def current_link(self) -> Path:
        """The link that programs open."""
        return self.root / CURRENT

    def folder(self, name: str) -> Path:
        """The folder of a version."""
        return self.root / VERSIONS / name

    def current(self) -> str | None:
        """The current version, or None."""
        return self._pointed(CURRENT)

    def previous(self) -> str | None:
        """The version before it, or None if there is none or it is gone."""
        current = self.current()
        name = self._pointed(PREVIOUS) if current is None else self._record_previous(current)
        return name if name is not None and name != current and self.folder(name).is_dir() else None

    def write_record(self, name: str, record: VersionRecord) -> None:
        """Writes the record of a version, before it becomes current."""
        replace_file(self._record_file(name), encode_json(record))

    def record(self, name: str) -> VersionRecord:
        """Reads the record of a version; an empty one if it is lost, so that it never blocks an update."""
        try:
            data = self._record_file(name).read_bytes()[:_MAX_RECORD_BYTES]
            record: VersionRecord = decode_json(data, VersionRecord, name)
        except (OSError, BundleError):
            return VersionRecord(1, None, "unknown")
        return record

    def place(self, built: Path, version: str) -> str:
        """Moves a finished bundle among the versions.

        Args:
            built: A folder on the same disk.
            version: The id of its content.

        Returns:
            Its name: the id, with a number appended if an older copy has that name.
        """
        name, count = version, 1
        while os.path.lexists(self.folder(name)):
            count += 1
            name = f"{version}-{count}"
        os.rename(built, self.folder(name))
        sync_folder(self.root / VERSIONS)
        return name

    def switch(self, name: str) -> None:
        """Makes a version the current one."""
        _replace_link(self.current_link, f"{VERSIONS}/{name}")

    def unset(self) -> None:
        """Removes ``current``, as there was no version before."""
        self.current_link.unlink(missing_ok=True)
        sync_folder(self.root)

    def tidy(self) -> None:
        """Removes all but the current and the previous version, and repairs ``previous``."""
        keep = {self.current(), self.previous()}
        previous = self.previous()
        if previous is None:
            (self.root / PREVIOUS).unlink(missing_ok=True)
        elif self._pointed(PREVIOUS) != previous:
            _replace_link(self.root / PREVIOUS, f"{VERSIONS}/{previous}")
        for entry in sorted((self.root / VERSIONS).iterdir()):
            ours = _OURS.fullmatch(entry.name)
            if ours is not None and (ours[1] not in keep or entry.name.endswith(_ASIDE)):
                _remove(entry)
        _remove(self.incoming)
        for link in (CURRENT, PREVIOUS):
            _remove(self.root / f"{link}{_ASIDE}")
        sync_folder(self.root / VERSIONS)
        sync_folder(self.root)

    def _record_file(self, name: str) -> Path:
        return self.root / VERSIONS / f"{name}.json"

    def _record_previous(self, name: str) -> str | None:
        previous = self.record(name).previous
        return previous if previous is not None and _NAME.fullmatch(previous) else None

    def _pointed(self, link: str) -> str | None:
        try:
            folder, _, name = os.readlink(self.root / link).rpartition("/")
        except OSError:
            return None
        whole = folder == VERSIONS and _NAME.fullmatch(name) and self.folder(name).is_dir()
        return name if whole else None


@contextmanager
def locked_versions(root: Path, *, make: bool) -> Iterator[VersionFolder]:
    """Locks a folder of versions, and creates it if it does not exist.

    Args:
        root: The folder.
        make: Whether to create it; if False, a missing one is an error.

    Yields:
        The folder, without leftovers of an interrupted pull. On exit, folders created for it are
        removed again if no version was placed.

    Raises:
        UsageError: It is locked, holds something else, lies inside a bundle or another such folder,
            or cannot be written.
    """
    # Here, since the module does not exist on Windows.
    try:
        import fcntl
    except ModuleNotFoundError as error:
        raise UsageError(
            "Updates need a POSIX system with locks and symbolic links. Received: another system. "
            "Unpack the bundle yourself."
        ) from error

    with writable(root):
        if not make and not (root / VERSIONS).is_dir():
            raise UsageError(
                f"--to must be a folder that snapship pull made. Received: {root}. Pull a bundle into it first."
            )
        if (root / MANIFEST_FILE).exists() or _in_the_way(root):
            raise UsageError(
                f"--to must be a folder for versions, not something else. Received: {root}. "
                "Pass a new folder; the bundle will appear in its sub-folder current."
            )
        versions = root / VERSIONS
        if not versions.is_dir():
            _refuse_inside(root)
        made = [place for place in (versions, *versions.parents) if not place.exists()]
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # The kernel releases the lock when the process ends, however it ends.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A failed first pull removes its lock file: this may be that file.
            if not os.path.samestat(os.fstat(handle), os.stat(root / LOCK)):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError) as error:
            os.close(handle)
            raise UsageError(
                f"Only one pull may run at a time. Received: another one running in {root}. Wait until it has finished."
            ) from error
    try:
        home = VersionFolder(root)
        with writable(root):
            versions.mkdir(exist_ok=True)
            home.tidy()
        yield home
    finally:
        # Innermost first, so that it stops at once if there is a version.
        with suppress(OSError):
            for place in made:
                place.rmdir()
                (root / LOCK).unlink(missing_ok=True)
        os.close(handle)


def writable(root: Path) -> AbstractContextManager[None]:
    """Turns errors of the file system in a block into one UsageError."""
    rule = "--to must be a writable folder on a disk with symbolic links and free space"
    return usable_path(root, "--to", rule, refused=OSError)


def _replace_link(link: Path, target: str) -> None:
    """Points a symbolic link at something else, at once for everyone who opens it."""
    aside = link.with_name(link.name + _ASIDE)
    aside.unlink(missing_ok=True)
    os.symlink(target, aside, target_is_directory=True)
    os.replace(aside, link)
    sync_folder(link.parent)


def _in_the_way(root: Path) -> bool:
    """Whether something else has one of our names."""
    links = any((root / link).exists() and not (root / link).is_symlink() for link in (CURRENT, PREVIOUS))
    return links or (root / VERSIONS).is_symlink()


def _refuse_inside(root: Path) -> None:
    """Rejects a new folder where pulls of another one, or a new bundle, would remove it."""
    for outer in root.resolve().parents:
        is_home = (outer / VERSIONS).is_dir() and (outer / LOCK).exists()
        # Other programs have a manifest.json too.
        if is_home or ((outer / MANIFEST_FILE).exists() and (outer / LABELS_FILE).exists()):
            raise UsageError(
                f"--to must lie outside bundles and other folders of versions. Received: {root}, inside {outer}. "
                "Pass another --to."
            )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def bundle_in(path: Path) -> Path:
    """The bundle to follow: for a folder of versions, its current one."""
    if path.is_dir() and not (path / MANIFEST_FILE).exists() and (path / VERSIONS).is_dir():
        return path / CURRENT
    return path


def is_version(place: str) -> bool:
    """Whether ``snapship pull`` installed the bundle; its files then never change in place."""
    return os.path.basename(os.path.dirname(place)) == VERSIONS and os.path.isfile(f"{place}.json")


def stamp_of(path: Path) -> Stamp:
    """A value that changes when the bundle is replaced; the path alone while there is none."""
    place = os.path.realpath(path)
    for file in (os.path.join(place, MANIFEST_FILE), place):
        try:
            state = os.stat(file)
        except OSError:
            continue
        return place, state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size
    return (place,)
