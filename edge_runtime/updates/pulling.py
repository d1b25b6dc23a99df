"""``pull`` and ``rollback``, step by step.

::

    locked      the folder is locked, leftovers of an interrupted pull are gone
    fetched     the source is on this machine
    read        manifest, labels and signature are copied, the signature is verified
    (a file)    each file that the manifest names is copied, its hash checked while reading
    verified    all of them were read back from the disk and match
    tested      the golden examples pass on this machine's engines
    placed      the folder is among the versions
    recorded    its record says what was current before it
    switched    current points at it
    rechecked   the self-test passed again from there, with ``recheck``
    tidied      older versions are gone

Nothing in use changes before ``switched``, which is a single rename.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.atomic_folder import sync_tree
from edge_runtime.common.errors import (
    BundleError,
    EnvironmentMissingError,
    GateFailedError,
    SnapshipError,
    UsageError,
)
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.selection import choose
from edge_runtime.golden import SelfTest, selftest, verify_files
from edge_runtime.updates.signature import PublicKey, Signature, check_signature, read_signature, version_of
from edge_runtime.updates.sources import MAX_BYTES, check_source, fetch, shown
from edge_runtime.updates.unpacking import copy_body, copy_head
from edge_runtime.updates.version_folder import (
    ARCHIVE,
    BUNDLE,
    VersionFolder,
    VersionRecord,
    locked_versions,
    writable,
)

After = Callable[[str], None]
"""Called with the name of each finished step."""


@dataclass(frozen=True)
class Pulled:
    """Result of a pull or a rollback.

    Attributes:
        status: ``unchanged`` if the version was already current.
        name: The bundle's name.
        version: The current version: 16 hex digits of its content, as its folder is called.
        previous: The version that a rollback returns to; None if there is none.
        source: Where it came from, without the query of a URL.
        signature: Id of the key that the bundle claims to be signed with; None if it is not signed.
        trusted: Whether the signature was verified with a configured key.
        files: Number of files whose hash was verified.
        replays: Number of replayed golden examples, over all artifacts that an engine here runs.
        skipped: Artifacts that no engine here runs.
    """

    status: Literal["installed", "unchanged", "rolled back"]
    name: str
    version: str
    previous: str | None
    source: str
    signature: str | None
    trusted: bool
    files: int
    replays: int
    skipped: tuple[str, ...]


def _nothing(step: str) -> None:
    pass


def pull(
    source: str,
    to: Path,
    *,
    keys: tuple[PublicKey, ...] = (),
    allow_http: bool = False,
    engine: str = "auto",
    recheck: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: Progress = no_progress,
    after: After = _nothing,
) -> Pulled:
    """Installs a bundle as the current version of a folder, or leaves the folder unchanged.

    Args:
        source: A bundle folder, a zip, ``https://...`` or ``s3://BUCKET/KEY`` of a zip.
        to: The folder; ``Classifier.open(to / "current")`` opens what was pulled.
        keys: Keys of which one must have signed it; without any, unsigned bundles are accepted.
        allow_http: Whether to accept ``http://``.
        engine: Engine for the self-test: ``auto`` or a name.
        recheck: Run the self-test again after the switch, and switch back if it fails.
        max_bytes: Limit of the download, and of the bundle's files together.
        progress: Called with the bytes of a download.
        after: Called after each step; see the head of this file.

    Raises:
        BundleError: The bundle is damaged, or not signed by one of the keys.
        GateFailedError: The self-test failed on this machine.
        UsageError: The source or the folder cannot be used, or another pull is running there.
        EnvironmentMissingError: An extra, credentials or an engine is missing.
    """
    check_source(source, allow_http=allow_http)
    name = shown(source)
    with locked_versions(to, make=True) as home, _incoming(home, name), writable(to):
        after("locked")
        aside = home.incoming / BUNDLE
        aside.mkdir(parents=True)
        archive = home.incoming / ARCHIVE
        fetched = fetch(source, archive, max_bytes=max_bytes, allow_http=allow_http, progress=progress)
        after("fetched")
        origin = Bundle.open(fetched)
        copy = copy_head(origin, aside)
        trusted = check_signature(copy, keys, name) if keys else None
        signature = read_signature(copy)
        after("read")
        version, old = version_of(copy), home.current()
        whole = _whole(home.folder(old), version) if old is not None else None
        if old is not None and whole is not None:
            return _report(home, "unchanged", old, *whole, trusted, None)
        copy_body(origin, copy, max_bytes, after)
        files = verify_files(copy)
        after("verified")
        outcome = _tested(copy, engine)
        after("tested")
        sync_tree(aside)
        placed = home.place(aside, version)
        after("placed")
        home.write_record(placed, VersionRecord(1, old or home.previous(), name, trusted))
        after("recorded")
        _switch(home, placed, old, engine if recheck else None, after)
        return _report(home, "installed", placed, copy, files, signature, trusted, outcome)


def rollback(
    to: Path, *, keys: tuple[PublicKey, ...] = (), engine: str = "auto", after: After = _nothing
) -> Pulled:
    """Swaps the current and the previous version.

    Args:
        to: A folder that :func:`pull` filled.
        keys: Keys of which one must have signed it; without any, unsigned bundles are accepted.
        engine: Engine for the self-test: ``auto`` or a name.
        after: Called after each step.

    Raises:
        BundleError: The previous version is damaged, or not signed by one of the keys.
        GateFailedError: Its self-test failed on this machine.
        UsageError: There is no previous version, or another pull is running in the folder.
    """
    with locked_versions(to, make=False) as home:
        after("locked")
        old, name = home.current(), home.previous()
        if name is None:
            raise UsageError(
                f"A rollback needs a previous version. Received: {to} without one. Pull the bundle you want."
            )
        bundle = Bundle.open(home.folder(name))
        trusted = check_signature(bundle, keys, str(bundle.location)) if keys else None
        signature = read_signature(bundle)
        files = verify_files(bundle)
        after("verified")
        outcome = _tested(bundle, engine)
        after("tested")
        with writable(to):
            record = home.record(name)
            home.write_record(name, VersionRecord(1, old, record.source, record.signed_by))
            after("recorded")
            _switch(home, name, old, None, after)
        return _report(home, "rolled back", name, bundle, files, signature, trusted, outcome)


def _switch(home: VersionFolder, name: str, old: str | None, recheck: str | None, after: After) -> None:
    """Makes a version current; with ``recheck``, the name of an engine, switches back if the self-test fails."""
    home.switch(name)
    after("switched")
    if recheck is not None:
        try:
            current = Bundle.open(home.current_link)
            verify_files(current)
            _tested(current, recheck)
        except SnapshipError:
            if old is None:
                home.unset()
            else:
                home.switch(old)
            raise
        after("rechecked")
    home.tidy()
    after("tidied")


@contextmanager
def _incoming(home: VersionFolder, source: str) -> Iterator[None]:
    """Removes the copy of a source after the block; an error about the copy names the source instead."""
    try:
        yield
    except SnapshipError as error:
        text = str(error)
        for name in (ARCHIVE, BUNDLE):
            place = home.incoming / name
            text = text.replace(str(place.resolve()), source).replace(str(place), source)
        error.args = (text,)
        raise
    finally:
        with writable(home.root):
            home.tidy()


def _whole(folder: Path, version: str) -> tuple[Bundle, int, Signature | None] | None:
    """The bundle in a folder, its number of files and signature; None if it is damaged or another version."""
    try:
        bundle = Bundle.open(folder)
        if version_of(bundle) != version:
            return None
        return bundle, verify_files(bundle), read_signature(bundle)
    except BundleError:
        return None


def _tested(bundle: Bundle, engine: str) -> SelfTest:
    """Replays the golden examples; at least one usable artifact must exist."""
    choose(bundle, None, engine=engine)
    outcome = selftest(bundle, engine=engine)
    different = [replay for replay in outcome.replays if replay.failed is not None]
    if different:
        first = different[0]
        raise GateFailedError(
            "A bundle must pass its self-test on this machine before it is used. Received: "
            f"{len(different)} of {len(outcome.replays)} replays differ, first {first.file} on {first.artifact} "
            f"at stage {first.failed}: {first.detail}. The version in use stays."
        )
    if not outcome.passed:
        raise EnvironmentMissingError(
            "A self-test needs golden examples and an engine that reads the artifacts. Received: "
            f"{', '.join(outcome.skipped) or 'no golden example'}, nothing replayed. Run: snapship doctor"
        )
    return outcome


def _report(
    home: VersionFolder,
    status: Literal["installed", "unchanged", "rolled back"],
    version: str,
    bundle: Bundle,
    files: int,
    signature: Signature | None,
    trusted: str | None,
    outcome: SelfTest | None,
) -> Pulled:
    """Describes the current version; reads nothing that could fail after a switch."""
    return Pulled(
        status=status,
        name=bundle.manifest.name,
        version=version,
        previous=home.previous(),
        source=home.record(version).source,
        signature=trusted or (signature.key_id if signature is not None else None),
        trusted=trusted is not None,
        files=files,
        replays=len(outcome.replays) if outcome is not None else 0,
        skipped=outcome.skipped if outcome is not None else (),
    )
