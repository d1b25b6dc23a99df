"""Which Python packages a function needs, and in which version.

The version is the installed one, since that is what was checked and served on this
machine; where a package is not installed, the one that snapship was tested with. boto3 is
not among them: Lambda's Python has it. Nor are click, rich and uvicorn: no event needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from edge_runtime.engines import ENGINES
from edge_runtime.errors import UsageError

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
"""Versions of the project's constraints."""

APP = ("anyio", "mangum", "msgspec", "numpy", "pillow", "python-multipart", "starlette", "typing_extensions")
"""What every function needs. Not idna, which anyio wants for the names of servers that it connects to."""

PACKAGES = {entry.format: entry.package for entry in reversed(ENGINES.values()) if not entry.numpy_below}
"""The first engine's package of each format; without its requirements, which only its tools need."""

SERVER = ("click", "h11", "uvicorn")
"""What a container needs besides, where it is not Lambda that calls."""


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
        server: Whether it must also serve HTTP by itself.

    Returns:
        By name.

    Raises:
        UsageError: No engine of a function reads such a file.
    """
    if format not in PACKAGES:
        raise UsageError(
            f"A function runs .tflite and .onnx files. Received: an artifact of format {format}. "
            "Pass --artifact with one of these, or export one."
        )
    names = (*APP, PACKAGES[format], *(SERVER if server else ()))
    return tuple(Requirement(name, _version(name)) for name in sorted(names))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return TESTED[name]
