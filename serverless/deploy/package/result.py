"""The result of packaging."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serverless.deploy.config_rules import Arch, PythonVersion


@dataclass(frozen=True)
class PartSize:
    """The size of one part of a package.

    Attributes:
        name: A Python package, ``snapship`` for snapship's own code, or ``bundle``.
        version: Its version; empty for snapship's own code and the bundle.
        files: Number of its files in the package.
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
        unzipped_bytes: Size of its files.
        sizes: The size of each part, largest first.
        arch: The function's architecture.
        python: The function's Python version.
        artifact: The kind of its artifact.
        checked: How many golden images were replayed from the packaged files; 0 if that was not
            possible here.
        notes: Notes for the user, e.g. why nothing was replayed, as sentences.
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
