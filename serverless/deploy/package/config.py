"""What to package, and for which function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from edge_runtime.errors import UnknownNameError, UsageError
from serverless.deploy.config_rules import Arch, PythonVersion


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
