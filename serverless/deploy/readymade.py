"""The zip to deploy: made now from a bundle, or made before by ``snapship package``."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge_runtime.errors import UsageError
from edge_runtime.temporary import temporary_folder
from serverless.deploy.config import Deployment
from serverless.deploy.errors import LimitError
from serverless.deploy.stack import Say

if TYPE_CHECKING:
    from serverless.deploy.package.tree import PackageRecord

HANDLER_FILES = ("serverless/app/__init__.py", "serverless/app/__init__.pyc")
"""One of them is in every package; else Lambda would find no handler."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Zip:
    """A package on disk.

    Attributes:
        path: Where it is.
        sha256: Its hash, in hex.
        bytes: Its size.
    """

    path: Path
    sha256: str
    bytes: int


@contextmanager
def ready(
    bundle: Path | None, made_before: Path | None, artifact: str | None, deployment: Deployment, say: Say
) -> Iterator[Zip]:
    """Provides the zip meanwhile.

    Args:
        bundle: What to package, where nothing was packaged before.
        made_before: A zip of ``snapship package``.
        artifact: The kind to package; None takes the best.
        deployment: Whose architecture and Python it must be for.
        say: Told of the steps of packaging.

    Raises:
        UsageError: There is neither a bundle nor a zip, or the zip is for another function.
        SnapshipError: As :func:`serverless.deploy.package.package` raises.
    """
    if made_before is not None:
        found, made_of = check_zip(made_before, deployment)
        if bundle is not None:
            _check_bundle(bundle, made_of, made_before)
        yield found
        return
    from serverless.deploy.package import PackageConfig, package

    with temporary_folder() as folder:
        made = package(
            PackageConfig(
                bundle=_given(bundle),
                out=folder / "lambda.zip",
                arch=deployment.arch,
                python=deployment.python,
                artifact=artifact,
            ),
            say,
        )
        for note in made.notes:
            say(note)
        yield Zip(made.path, made.sha256, made.bytes)


def contents_sha256(bundle: Path | None, artifact: str | None) -> str:
    """Hash of what a package of a bundle is made of, without making it; 64 hex digits.

    Args:
        bundle: What would be packaged.
        artifact: The kind; None takes the best.

    Raises:
        UsageError: There is no bundle, or no such artifact.
        BundleError: It is damaged.
        GateFailedError: The artifact failed its check.
    """
    from edge_runtime.bundle import Bundle
    from edge_runtime.choice import choose
    from edge_runtime.manifest import encode_json
    from edge_runtime.versions import own_version

    opened = Bundle.open(_given(bundle))
    made_of = f"{own_version()} {choose(opened, artifact).kind}\n".encode() + encode_json(opened.manifest)
    return hashlib.sha256(made_of).hexdigest()


def check_zip(path: Path, deployment: Deployment) -> tuple[Zip, PackageRecord]:
    """Looks into a zip before it is uploaded.

    Args:
        path: The zip.
        deployment: What it must fit.

    Returns:
        The zip, and what it is made of.

    Raises:
        UsageError: It is none, holds no function of snapship, or is for another processor or Python.
        LimitError: It unpacks to more than Lambda allows.
    """
    from serverless.deploy.package.limits import UNZIPPED_BYTES
    from serverless.deploy.package.tree import RECORD_FILE, read_record

    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            total = sum(info.file_size for info in archive.infolist())
            record = archive.read(RECORD_FILE) if RECORD_FILE in names else None
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        size = path.stat().st_size
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"--package must be a zip of snapship package. Received: {path} ({reason}). "
            "Run: snapship package BUNDLE --out lambda.zip"
        ) from error
    if names.isdisjoint(HANDLER_FILES) or record is None:
        raise UsageError(
            f"--package must hold the function and its record. Received: {path} without "
            f"{HANDLER_FILES[0] if record else RECORD_FILE}. Run: snapship package BUNDLE --out lambda.zip"
        )
    if total > UNZIPPED_BYTES:
        raise LimitError(
            f"A package must unpack to at most {UNZIPPED_BYTES:,} bytes. Received: {total:,}. "
            "Ship a smaller artifact."
        )
    try:
        made = read_record(record)
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"--package must hold a record of how it was made. Received: {path} ({error}). Package the bundle anew."
        ) from error
    if (made.arch, made.python) != (deployment.arch, deployment.python):
        raise UsageError(
            "--package must be for the function's processor and Python. "
            f"Received: {made.arch}, {made.python} for a function of {deployment.arch}, {deployment.python}. "
            f"Pass --arch {made.arch} --python {made.python}, or package the bundle anew."
        )
    return Zip(path, digest.hexdigest(), size), made


def _given(bundle: Path | None) -> Path:
    if bundle is None:
        raise UsageError("A deployment needs a BUNDLE or --package ZIP. Received: neither. Pass one of them.")
    return bundle


def _check_bundle(bundle: Path, made: PackageRecord, path: Path) -> None:
    from edge_runtime.bundle import Bundle

    manifest = Bundle.open(bundle).manifest
    if made.artifact_sha256 not in {artifact.sha256 for artifact in manifest.artifacts}:
        raise UsageError(
            f"--package must be made from the BUNDLE. Received: {path} of {made.bundle} with {made.artifact}, "
            f"which {bundle} does not hold. Package the bundle anew, or leave it out."
        )
