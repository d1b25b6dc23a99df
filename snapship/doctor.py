"""``snapship doctor``: what is installed, what is missing, and how to install it.

Packages are looked up, not imported; the device runtime is imported only when its own packages
are complete.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from snapship.extras import NEEDED_BY, OPTIONAL, cure, packages, python_notes, version

if TYPE_CHECKING:
    from edge_runtime.common.versions import KerasBackend

_Row: TypeAlias = tuple[str, str, str, str]

_GPU_TIMEOUT_S = 15.0
"""A broken driver can make nvidia-smi hang."""


@dataclass(frozen=True)
class Found:
    """One package of one extra.

    Attributes:
        name: The distribution.
        extra: Its extra; empty for the base install.
        version: None when it is not installed.
    """

    name: str
    extra: str
    version: str | None


@dataclass(frozen=True)
class Checkup:
    """Everything that ``doctor`` shows.

    Attributes:
        snapship: Version of snapship.
        python: Version of Python.
        platform: Operating system and processor.
        cores: Cores that this process may use.
        memory_gb: Main memory in units of 10^9 bytes; None when unknown.
        gpus: One line per NVIDIA GPU.
        engines: The installed interpreters, with the files they run.
        backend: The Keras backend of training; None when the base install is incomplete.
        compiled: Whether the compiled part of the device runtime was built.
        cache: Folder of downloaded data sets.
        cache_writable: Whether it can be written or created.
        packages: Every package of every extra.
        npm: Path of npm, which snapship phone fetches an app's engine with; empty where it is missing.
    """

    snapship: str
    python: str
    platform: str
    cores: int
    memory_gb: float | None
    gpus: tuple[str, ...]
    engines: tuple[str, ...]
    backend: KerasBackend | None
    compiled: bool
    cache: str
    cache_writable: bool
    packages: tuple[Found, ...]
    npm: str = ""

    def missing(self, extra: str) -> list[str]:
        """Packages of an extra that are not installed."""
        return [entry.name for entry in self.packages if entry.extra == extra and entry.version is None]

    def cures(self) -> dict[str, str]:
        """The pip command of every incomplete extra; of ``train-*`` only that of the chosen backend."""
        chosen = self.backend.extra if self.backend is not None else ""
        return {
            extra: cure(extra)
            for extra in NEEDED_BY
            if self.missing(extra) and (not extra.startswith("train-") or extra == chosen)
        }

    def notes(self) -> tuple[str, ...]:
        """Remarks on the missing packages for this version of Python."""
        major, minor = self.python.split(".")[:2]
        missing = {entry.name for entry in self.packages if entry.version is None}
        return python_notes(missing, (int(major), int(minor)))


def checkup() -> Checkup:
    """Examines this machine; imports nothing heavy and changes nothing."""
    found = tuple(
        Found(package.name, extra, _version_of(package.name) if package.installed else None)
        for extra, entries in packages().items()
        for package in entries
    )
    whole = not [entry for entry in found if entry.extra == "" and entry.version is None]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snapship"
    return Checkup(
        snapship=version(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=_cores(),
        memory_gb=_memory_gb(),
        gpus=_gpus(),
        engines=_engines() if whole else (),
        backend=_backend() if whole else None,
        compiled=_compiled(),
        cache=str(cache),
        cache_writable=_writable(cache),
        packages=found,
        npm=shutil.which("npm") or "",
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> int:
    """Show what is installed, what is missing, and the command that installs it.

    \b
    Example:
      snapship doctor
    """
    found = checkup()
    if as_json:
        record = asdict(found) | {"cures": found.cures(), "notes": found.notes()}
        click.echo(json.dumps(record, indent=2))
    else:
        _print(found)
    # Every command needs the base install; extras are optional.
    return 4 if found.missing("") else 0


def _print(found: Checkup) -> None:
    memory = "unknown" if found.memory_gb is None else f"{found.memory_gb:.1f} GB"
    writable = "" if found.cache_writable else " (not writable: set XDG_CACHE_HOME to a writable folder)"
    facts = {
        "snapship": found.snapship,
        "Python": found.python,
        "platform": found.platform,
        "cores": str(found.cores),
        "memory": memory,
        "GPU": "; ".join(found.gpus) or "none found by nvidia-smi",
        "engines": ", ".join(found.engines) or "none",
        "compiled": "yes" if found.compiled else "no, which is slower; install gcc, then reinstall snapship",
        "training": _training(found.backend),
        "cache": found.cache + writable,
        "npm": found.npm or "not found: snapship phone then needs --engine DIR",
    }
    for name, value in facts.items():
        click.echo(f"{name:<10}{value}")
    click.echo()
    header = ("extra", "package", "version", "for")
    rows = [
        (entry.extra or "(base)", entry.name, entry.version or "missing", _purpose(entry.extra))
        for entry in found.packages
    ]
    _print_rows(header, rows)
    cures = found.cures()
    if cures:
        click.echo("\nTo install what is missing:")
    for extra, command in cures.items():
        click.echo(f"  {command:<38}  {_purpose(extra)}")
    for note in found.notes():
        click.echo(note)


def _print_rows(header: _Row, rows: list[_Row]) -> None:
    try:
        from edge_runtime.common.terminal import Column, is_terminal, print_table
    except ImportError:
        # The base install is damaged, which this command must be able to report.
        for row in (header, *rows):
            click.echo("  ".join(f"{cell:<16}" for cell in row).rstrip())
        return
    previous = None
    shown = []
    for extra, name, installed, purpose in rows:
        # On a terminal the extra is shown once per group; elsewhere every line stands alone.
        first = extra != previous or not is_terminal()
        style = "red" if installed == "missing" else "green"
        shown.append((extra if first else "", name, (installed, style), purpose if first else ""))
        previous = extra
    print_table([Column(name) for name in header], shown)


def _engines() -> tuple[str, ...]:
    from edge_runtime.engines import ENGINES, available

    return tuple(
        f"{name} ({'float ' if entry.precisions and 'int8' not in entry.precisions else ''}.{entry.format})"
        for name, entry in ENGINES.items()
        if available(name)
    )


def _backend() -> KerasBackend:
    from edge_runtime.common.versions import keras_backend

    return keras_backend()


def _compiled() -> bool:
    # By its file: find_spec of a submodule would import NumPy.
    runtime = find_spec("edge_runtime")
    places = runtime.submodule_search_locations if runtime is not None else None
    return any(next(Path(place).glob("_native.*[!i]"), None) is not None for place in places or ())


def _training(backend: KerasBackend | None) -> str:
    if backend is None:
        return "unknown: the base install is incomplete"
    from edge_runtime.common.versions import BACKENDS

    shown = f"Keras on {backend.name} ({backend.reason})"
    if backend.installed:
        return shown
    lacks = "installed" if backend.extra else f"one of {', '.join(BACKENDS)}"
    return f"{shown}, which is not {lacks}"


def _purpose(extra: str) -> str:
    commands = ", ".join(NEEDED_BY[extra])
    return f"{commands}: {OPTIONAL[extra]}" if extra in OPTIONAL else commands


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return None


def _gpus() -> tuple[str, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        answer = subprocess.run(
            [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_GPU_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())


def _writable(folder: Path) -> bool:
    """Whether the folder can be written or created, judged by its nearest existing parent."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
