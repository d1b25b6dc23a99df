"""The Python packages of a function, as wheels for its Python and architecture; downloaded once.

The version is the installed one, since that is what was checked and served on this machine; if a
package is not installed, the one that snapship was tested with. boto3 is not included, as Lambda's
Python has it. Nor are click, rich and uvicorn, which no event needs.

pip selects and downloads the wheels, whatever machine this is; a wheel is then cached with its hash,
in a folder per target and version::

    3.12-x86_64/numpy==2.4.6/numpy-2.4.6-cp312-cp312-manylinux_2_28_x86_64.whl
                             sha256
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.bundle import file_sha256
from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.common.versions import version_of
from edge_runtime.engines import ENGINES
from serverless.deploy.config.errors import DownloadError
from serverless.deploy.config.rules import Arch, PythonVersion

GLIBC_MINORS = range(34, 16, -1)
"""Minor versions of glibc 2.x whose wheels run on Amazon Linux 2023, which has 2.34.

Newest first. Python 3.12 to 3.14 run on that system, see
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

_MACHINES: dict[Arch, str] = {"x86_64": "x86_64", "arm64": "aarch64"}
_SECONDS = 900
_HASH_FILE = "sha256"

TESTED = {
    "ai-edge-litert": "2.3.0",
    "anyio": "4.16.0",
    "click": "8.5.1",
    "h11": "0.16.0",
    "mangum": "0.22.0",
    "msgspec": "0.22.0",
    "numpy": "2.4.6",
    "onnxruntime": "1.31.1",
    "pillow": "13.0.0",
    "python-multipart": "0.0.34",
    "starlette": "1.10.0",
    "typing_extensions": "4.16.0",
    "uvicorn": "0.54.0",
}
"""Versions in the project's constraints."""

APP = ("anyio", "mangum", "msgspec", "numpy", "pillow", "python-multipart", "starlette", "typing_extensions")
"""What every function needs. Not idna, which anyio needs only to connect to servers by name."""

PACKAGES = {entry.format: entry.package for entry in reversed(ENGINES.values()) if not entry.numpy_below}
"""The first engine's package of each format; without its requirements, which only its tools need."""

SERVER = ("click", "h11", "uvicorn")
"""What a container also needs on a host other than Lambda."""


@dataclass(frozen=True)
class Requirement:
    """A Python package in one version."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def requirements(format: str, *, server: bool = False) -> tuple[Requirement, ...]:
    """What a function needs to run an artifact.

    Args:
        format: The artifact's format.
        server: Whether it must also serve HTTP itself.

    Returns:
        The requirements, sorted by name.

    Raises:
        UsageError: A function has no engine for the format.
    """
    if format not in PACKAGES:
        raise UsageError(
            f"A function runs .tflite and .onnx files. Received: an artifact of format {format}. "
            "Pass --artifact with one of these, or export one."
        )
    names = (*APP, PACKAGES[format], *(SERVER if server else ()))
    return tuple(Requirement(name, version_of(name) or TESTED[name]) for name in sorted(names))


@dataclass(frozen=True)
class Wheel:
    """A wheel on this disk.

    Attributes:
        name: The package's name.
        version: Its version.
        path: The wheel.
        sha256: Its SHA-256, 64 hex digits.
    """

    name: str
    version: str
    path: Path
    sha256: str


def cache_folder(cache: str | Path | None) -> Path:
    """The cache folder for wheels.

    Args:
        cache: The folder; None for ``snapship/wheels`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if cache is not None:
        return Path(cache)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "snapship" / "wheels"


def missing(
    wanted: Sequence[Requirement], arch: Arch, python: PythonVersion, cache: Path
) -> tuple[Requirement, ...]:
    """Packages that are missing from the cache, or damaged.

    Args:
        wanted: The packages.
        arch: The function's architecture.
        python: The function's Python version.
        cache: The cache, from :func:`cache_folder`.
    """
    return tuple(entry for entry in wanted if _cached(entry, _place(cache, arch, python)) is None)


def fetch(wanted: Sequence[Requirement], arch: Arch, python: PythonVersion, cache: Path) -> tuple[Wheel, ...]:
    """Returns wheels, downloading those that are not in the cache.

    Args:
        wanted: The packages.
        arch: The function's architecture.
        python: The function's Python version.
        cache: The cache, from :func:`cache_folder`.

    Raises:
        DownloadError: pip is not installed, or cannot get a wheel.
        UsageError: The cache is not writable.
    """
    place = _place(cache, arch, python)
    absent = missing(wanted, arch, python, cache)
    if absent:
        _download(absent, arch, python, place)
    found = [_cached(entry, place) for entry in wanted]
    wheels = tuple(wheel for wheel in found if wheel is not None)
    if len(wheels) != len(wanted):
        lost = ", ".join(str(entry) for entry, wheel in zip(wanted, found, strict=True) if wheel is None)
        raise DownloadError(
            f"A downloaded wheel must stay in the cache. Received: {lost} gone from {place}. Repeat the command."
        )
    return wheels


def _place(cache: Path, arch: Arch, python: PythonVersion) -> Path:
    return cache / f"{python}-{arch}"


def _cached(wanted: Requirement, place: Path) -> Wheel | None:
    folder = place / str(wanted)
    try:
        (path,) = folder.glob("*.whl")
        noted = (folder / _HASH_FILE).read_text(encoding="ascii").strip()
        if file_sha256(path) != noted:
            return None
    except (OSError, ValueError):
        return None
    return Wheel(wanted.name, wanted.version, path, noted)


def _download(wanted: Sequence[Requirement], arch: Arch, python: PythonVersion, place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with temporary_folder(place) as aside:
            _run_pip(wanted, arch, python, aside)
            for entry in wanted:
                if not _keep(entry, aside, place):
                    raise _refused((entry,), arch, python, "pip downloaded another file.")
    except OSError as error:
        raise UsageError(
            f"The cache of wheels must be writable. Received: {place} ({error.strerror}). "
            "Free some space, or set XDG_CACHE_HOME to another folder."
        ) from error


def _run_pip(wanted: Sequence[Requirement], arch: Arch, python: PythonVersion, folder: Path) -> None:
    machine = _MACHINES[arch]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    command += ["--quiet", "--retries", "1", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--implementation", "cp", "--python-version", python]
    command += [word for platform in platforms for word in ("--platform", platform)]
    try:
        done = subprocess.run(
            [*command, *map(str, wanted)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(wanted, arch, python, f"timeout after {_SECONDS} s") from error
    if done.returncode != 0:
        raise _refused(wanted, arch, python, _reason(done.stderr))


def _refused(wanted: Sequence[Requirement], arch: Arch, python: PythonVersion, reason: str) -> DownloadError:
    return DownloadError(
        "A package needs wheels from pip's index or the cache. Received: "
        f"{', '.join(map(str, wanted))} for Python {python} on {arch}, not downloaded: {reason} "
        "Connect to the index once (later runs need no network), or install a version that has such wheels."
    )


def _reason(stderr: str) -> str:
    """Pip's error in one line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return f"pip is not installed (run: {Path(sys.executable).name} -m ensurepip)."
    network = [line for line in lines if "connection" in line.lower() or "resolve" in line.lower()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    if network:
        return "the index is not reachable."
    return f"{(errors or lines or ['pip failed'])[-1].rstrip('.')[:300]}."


def _keep(wanted: Requirement, aside: Path, place: Path) -> bool:
    """Moves a wheel and its hash into the cache atomically; False if there is no such wheel."""
    found = [path for path in aside.glob("*.whl") if _plain(path.name.split("-")[0]) == _plain(wanted.name)]
    if len(found) != 1:
        return False
    folder = aside / wanted.name
    folder.mkdir()
    path = found[0].rename(folder / found[0].name)
    (folder / _HASH_FILE).write_text(f"{file_sha256(path)}\n", encoding="ascii")
    target = place / str(wanted)
    # An existing entry is damaged, or identical and just written by another process.
    shutil.rmtree(target, ignore_errors=True)
    try:
        folder.rename(target)
    except OSError:
        if _cached(wanted, place) is None:
            raise
    return True


def _plain(name: str) -> str:
    """A package's name, normalized (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
