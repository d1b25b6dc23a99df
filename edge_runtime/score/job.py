"""What a worker process is given before its first shard; everything in it can be pickled."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import BundleError
from edge_runtime.score.plan import Plan


@dataclass(frozen=True)
class Job:
    """A run, as a worker sees it.

    Attributes:
        plan: What is scored by what.
        bundle_sha256: Hash of the bundle's zip.
        out: Where parts go: a folder or an ``s3://`` prefix.
        folder: The driver's working folder, in which relative paths start.
        seen: A file of the photos on this disk, which a worker must see, too; None where all are in S3.
        s3_endpoint: Address of another server that speaks S3.
    """

    plan: Plan
    bundle_sha256: str
    out: str
    folder: str
    seen: str | None = None
    s3_endpoint: str | None = None


def bundle_zip(location: Path) -> bytes:
    """A bundle as one zip, as it reaches the workers; of a zip, the file itself.

    Args:
        location: The bundle, a folder or a zip.

    Returns:
        The same bytes for the same files.

    Raises:
        BundleError: It is no bundle, or a file of it is missing or changed.
    """
    # A file that was changed would only be noticed by the workers.
    Bundle.open(location).verify()
    if location.is_file():
        return location.read_bytes()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for path in sorted(location.rglob("*")):
            if path.is_file():
                # Of a fixed date; models hardly shrink.
                archive.writestr(zipfile.ZipInfo(path.relative_to(location).as_posix()), path.read_bytes())
    return held.getvalue()


def opened_bundle(path: Path, sha256: str) -> Bundle:
    """Opens the zip that reached this machine.

    Args:
        path: The zip.
        sha256: Its hash, as the driver computed it.

    Raises:
        BundleError: It is another one.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise BundleError(
            f"A worker's bundle must be the driver's. Received: sha256 {found[:12]}..., driver {sha256[:12]}.... "
            "Start the run again."
        )
    return Bundle.open(path)
