"""Finds the function's Python on this machine: its bytecode is that of its minor version alone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from serverless.deploy.package.config import Arch, PythonVersion

_SECONDS = 20
_PROBE = (
    "import platform, sys; v = sys.version_info; "
    "print(sys.implementation.name, v.releaselevel, f'{v.major}.{v.minor}', platform.python_version())"
)
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Interpreter:
    """A Python of the wanted minor version.

    Attributes:
        path: The program.
        version: Its full version.
    """

    path: Path
    version: str


def find_interpreter(python: PythonVersion) -> Interpreter | None:
    """Looks for a Python: this one, those on the PATH, and those that pyenv keeps.

    Args:
        python: The wanted minor version.

    Returns:
        The first that starts and is a release of CPython in that version; None where there is none.
    """
    for path in _candidates(python):
        version = _version(path, python)
        if version is not None:
            return Interpreter(path, version)
    return None


def runs_here(arch: Arch) -> bool:
    """Whether this machine runs programs for a function's processor.

    Args:
        arch: The function's processor.
    """
    return sys.platform == "linux" and _MACHINES.get(platform.machine().lower()) == arch


def _candidates(python: PythonVersion) -> Iterator[Path]:
    """Programs that may be it; a name on the PATH may be a shim that does not start."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        # Not a virtual environment's: its packages are no part of the function.
        yield Path(getattr(sys, "_base_executable", None) or sys.executable)
    name = f"python{python}.exe" if os.name == "nt" else f"python{python}"
    for folder in os.get_exec_path():
        if (path := Path(folder) / name).is_file():
            yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{python}.*/bin/{name}"), reverse=True)


def _version(path: Path, python: PythonVersion) -> str | None:
    try:
        done = subprocess.run(
            [str(path), "-I", "-S", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    words = done.stdout.split()
    # Before a release its bytecode may be another.
    if done.returncode != 0 or words[:3] != ["cpython", "final", python]:
        return None
    return words[3]
