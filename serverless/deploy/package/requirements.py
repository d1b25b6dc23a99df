"""The Python packages that a function needs, and their versions.

The version is the installed one, since that is what was checked and served on this machine; if a
package is not installed, the one that snapship was tested with. boto3 is not included, as Lambda's
Python has it. Nor are click, rich and uvicorn, which no event needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.engines import ENGINES
from edge_runtime.errors import UsageError
from edge_runtime.versions import version_of

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
