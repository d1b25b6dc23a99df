"""What to package, and for which function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edge_runtime.errors import UnknownNameError, UsageError

Arch = Literal["x86_64", "arm64"]
"""A function's processor, as AWS spells it."""

PythonVersion = Literal["3.12", "3.13", "3.14"]
"""Runtimes on Amazon Linux 2023; that of Python 3.11 has a C library that is too old for the engines."""


@dataclass(frozen=True)
class PackageConfig:
    """One package.

    Attributes:
        bundle: A folder or zip.
        out: The ``.zip`` to write; with ``image``, None.
        arch: The function's processor.
        python: The function's Python.
        artifact: The kind to ship; None takes the best that passed its check.
        image: A folder to write a Dockerfile and its build context to instead of a zip.
        overwrite: Replace what is there.
        cache: Where downloaded packages are kept; None takes ``$XDG_CACHE_HOME`` or
            ``~/.cache``, below it ``snapship/wheels``.
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
        """Refuses what cannot work before anything slow starts.

        Raises:
            UsageError: A value is not one of those that are known, or there is not exactly
                one place to write to.
        """
        if self.arch not in get_args(Arch):
            raise UnknownNameError.of("architecture", self.arch, get_args(Arch))
        if self.python not in get_args(PythonVersion):
            raise UnknownNameError.of("Python version", self.python, get_args(PythonVersion))
        if (self.out is None) == (self.image is None):
            raise UsageError(
                "A package is a zip or a build context. Received: "
                f"{'neither' if self.out is None else 'both'}. Pass --out NAME.zip or --image DIR."
            )
        if self.out is not None and Path(self.out).suffix != ".zip":
            raise UsageError(
                f"A package must be a .zip file. Received: --out {self.out}. Pass --out NAME.zip."
            )
