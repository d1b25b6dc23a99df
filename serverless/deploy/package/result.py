"""What a package turned out to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serverless.deploy.package.config import Arch, PythonVersion


@dataclass(frozen=True)
class PartSize:
    """What one part adds to a package.

    Attributes:
        name: A Python package, ``snapship`` for the own code, or ``bundle``.
        version: Its version, empty for the own code and the bundle.
        files: How many files of it are in the package.
        bytes: Their size.
        zipped_bytes: Their size in the zip; 0 in a build context.
    """

    name: str
    version: str
    files: int
    bytes: int
    zipped_bytes: int


@dataclass(frozen=True)
class WrittenPackage:
    """A package that was written.

    Attributes:
        path: The zip, or the folder of the Dockerfile.
        sha256: Hash of the zip, 64 hex digits; empty for a build context.
        bytes: Size of the zip; 0 for a build context.
        unzipped_bytes: Size of what is inside.
        sizes: The same by part, largest first.
        arch: The function's processor.
        python: The function's Python.
        artifact: The kind that is inside.
        checked: How many golden images were replayed from the packaged files; 0 where
            that could not be done here.
        notes: What a reader must know, such as why nothing was replayed; in sentences.
    """

    path: Path
    sha256: str
    bytes: int
    unzipped_bytes: int
    sizes: tuple[PartSize, ...]
    arch: Arch
    python: PythonVersion
    artifact: str
    checked: int
    notes: tuple[str, ...] = ()
