"""What to package and for which function, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from edge_runtime.common.errors import UnknownNameError, UsageError
from serverless.deploy.config.rules import Arch, PythonVersion


@dataclass(frozen=True)
class PackageConfig:
    """What to package, and for which function.

    Attributes:
        bundle: A folder or zip.
        out: The ``.zip`` to write; None with ``image``.
        arch: The function's architecture.
        python: The function's Python version.
        artifact: The kind to ship; None for the best that passed its check.
        image: A folder for a Dockerfile and its build context, instead of a zip.
        overwrite: Whether to replace an existing zip or build context.
        cache: Folder for downloaded wheels; None for ``snapship/wheels`` in ``$XDG_CACHE_HOME`` or
            ``~/.cache``.
    """

    bundle: str | Path
    out: str | Path | None
    arch: Arch = "x86_64"
    python: PythonVersion = "3.12"
    artifact: str | None = None
    image: str | Path | None = None
    overwrite: bool = False
    cache: str | Path | None = None

    def __post_init__(self) -> None:
        """Checks the values before anything slow starts.

        Raises:
            UsageError: A value is unknown, or not exactly one of ``out`` and ``image`` is given.
        """
        if self.arch not in get_args(Arch):
            raise UnknownNameError.of("architecture", self.arch, get_args(Arch))
        if self.python not in get_args(PythonVersion):
            raise UnknownNameError.of("Python version", self.python, get_args(PythonVersion))
        if (self.out is None) == (self.image is None):
            raise UsageError(
                "A package must be a zip or a build context. Received: "
                f"{'neither' if self.out is None else 'both'}. Pass --out NAME.zip or --image DIR."
            )
        if self.out is not None and Path(self.out).suffix != ".zip":
            raise UsageError(
                f"A package must be a .zip file. Received: --out {self.out}. Pass --out NAME.zip."
            )


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
