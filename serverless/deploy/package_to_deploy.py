"""The zip to deploy: packaged now from a bundle, or earlier by ``snapship package``."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_folder
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.config.errors import LimitError
from serverless.deploy.stack.stack import Progress

if TYPE_CHECKING:
    from serverless.deploy.package.package_files import PackageRecord

HANDLER_FILES = ("serverless/app/__init__.py", "serverless/app/__init__.pyc")
"""Every package contains one of them, or Lambda would find no handler."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class PackageZip:
    """A package on disk.

    Attributes:
        path: The zip.
        sha256: Its SHA-256, in hex.
        bytes: Its size.
    """

    path: Path
    sha256: str
    bytes: int


@contextmanager
def zip_to_deploy(config: DeployConfig, progress: Progress) -> Iterator[PackageZip]:
    """Provides the zip, which may be temporary.

    Args:
        config: The bundle or the zip, and the architecture and Python it must be for.
        progress: Progress callback of packaging.

    Raises:
        UsageError: There is neither a bundle nor a zip, or the zip is for another function.
        SnapshipError: As raised by :func:`serverless.deploy.package.package`.
    """
    deployment = config.deployment
    if config.package is not None:
        found, record = check_zip(config.package, deployment)
        if config.bundle is not None:
            _check_bundle(config.bundle, record, config.package)
        yield found
        return
    from serverless.deploy.package import PackageConfig, package

    with temporary_folder() as folder:
        made = package(
            PackageConfig(
                bundle=_given(config.bundle),
                out=folder / "lambda.zip",
                arch=deployment.arch,
                python=deployment.python,
                artifact=config.artifact,
            ),
            progress,
        )
        for note in made.notes:
            progress(note)
        yield PackageZip(made.path, made.sha256, made.bytes)


def contents_sha256(bundle: Path | None, artifact: str | None) -> str:
    """SHA-256 of a package's inputs, without packaging; 64 hex digits.

    Args:
        bundle: The bundle that would be packaged.
        artifact: The kind; None picks the best.

    Raises:
        UsageError: There is no bundle, or no such artifact.
        BundleError: The bundle is damaged.
        GateFailedError: The artifact failed its check.
    """
    from edge_runtime.bundle.bundle import Bundle
    from edge_runtime.bundle.manifest import encode_manifest
    from edge_runtime.common.versions import own_version
    from edge_runtime.engines.selection import choose

    opened = Bundle.open(_given(bundle))
    contents = f"{own_version()} {choose(opened, artifact).kind}\n".encode() + encode_manifest(
        opened.manifest
    )
    return hashlib.sha256(contents).hexdigest()


def check_zip(path: Path, deployment: Deployment) -> tuple[PackageZip, PackageRecord]:
    """Checks a zip before it is uploaded.

    Args:
        path: The zip.
        deployment: The deployment it is for.

    Returns:
        The zip, and the record of what it contains.

    Raises:
        UsageError: It is not a zip of snapship package, or is for another architecture or Python.
        LimitError: It unpacks to more than Lambda allows.
    """
    from serverless.app.core.package_record import RECORD_FILE
    from serverless.deploy.package.archive import UNZIPPED_BYTES
    from serverless.deploy.package.package_files import read_record

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
            f"--package must be a zip made by snapship package. Received: {path} ({reason}). "
            "Run: snapship package BUNDLE --out lambda.zip"
        ) from error
    if names.isdisjoint(HANDLER_FILES) or record is None:
        raise UsageError(
            f"--package must contain the function and its record. Received: {path} without "
            f"{HANDLER_FILES[0] if record else RECORD_FILE}. Run: snapship package BUNDLE --out lambda.zip"
        )
    if total > UNZIPPED_BYTES:
        raise LimitError(
            f"A package must unpack to at most {UNZIPPED_BYTES:,} bytes. Received: {total:,}. "
            "Choose a smaller artifact with --artifact."
        )
    try:
        made = read_record(record)
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"--package must contain a valid record. Received: {path} ({error}). Package the bundle again."
        ) from error
    if (made.arch, made.python) != (deployment.arch, deployment.python):
        raise UsageError(
            "--package must be for the function's architecture and Python. "
            f"Received: {made.arch}, {made.python} for a function of {deployment.arch}, {deployment.python}. "
            f"Pass --arch {made.arch} --python {made.python}, or package the bundle again."
        )
    return PackageZip(path, digest.hexdigest(), size), made


def _given(bundle: Path | None) -> Path:
    if bundle is None:
        raise UsageError("A deployment needs a BUNDLE or --package ZIP. Received: neither. Pass one of them.")
    return bundle


def _check_bundle(bundle: Path, made: PackageRecord, path: Path) -> None:
    from edge_runtime.bundle.bundle import Bundle

    if made.artifact_sha256 not in {entry.sha256 for entry in Bundle.open(bundle).entries}:
        raise UsageError(
            f"--package must be made from the BUNDLE. Received: {path} of {made.bundle} with {made.artifact}, "
            f"which {bundle} does not contain. Package the bundle again, or leave it out."
        )
