"""Finds the function's Python on this machine, as bytecode depends on the minor version."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from serverless.deploy.config_rules import Arch, PythonVersion

_SECONDS = 20
_PROBE = (
    "import platform, sys; v = sys.version_info; "
    "print(sys.implementation.name, v.releaselevel, f'{v.major}.{v.minor}', platform.python_version())"
)
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Interpreter:
    """A Python of the function's minor version.

    Attributes:
        path: The program.
        version: Its full version.
    """

    path: Path
    version: str


def find_interpreter(python: PythonVersion) -> Interpreter | None:
    """Looks for a Python: this one, on the PATH, and in pyenv.

    Args:
        python: The minor version.

    Returns:
        The first that starts and is a CPython release of that version; None if there is none.
    """
    for path in _candidates(python):
        version = _version(path, python)
        if version is not None:
            return Interpreter(path, version)
    return None


def runs_here(arch: Arch) -> bool:
    """Whether this machine runs a function's programs.

    Args:
        arch: The function's architecture.
    """
    return sys.platform == "linux" and _MACHINES.get(platform.machine().lower()) == arch


def _candidates(python: PythonVersion) -> Iterator[Path]:
    """Candidate programs; one on the PATH may be a shim that does not start."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        # Not a virtual environment's, whose packages are not part of the function.
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
    # Before a release, bytecode may still change.
    if done.returncode != 0 or words[:3] != ["cpython", "final", python]:
        return None
    return words[3]
