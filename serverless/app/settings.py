"""The Lambda function's settings, read from its environment.

=====================  ==========================================================
SNAPSHIP_BUNDLE        folder or zip; default: ``bundle``, the one ``*.bundle``, or
                       ``manifest.json``, beside the code
SNAPSHIP_ARTIFACT      such as ``tflite-int8``; default: the best that runs here
SNAPSHIP_ENGINE        ``auto`` (default), ``litert`` or ``onnxruntime``
SNAPSHIP_THREADS       threads of one inference, default 1
SNAPSHIP_TOP_K         classes returned when a request does not say, default 5
=====================  ==========================================================

An empty variable counts as one that is not set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.engines import ENGINES
from edge_runtime.errors import UsageError
from edge_runtime.manifest import MANIFEST_FILE

MAX_THREADS = 64
"""A Lambda function has at most 6 processors; a container may have more."""

MAX_TOP_K = 100_000


@dataclass(frozen=True)
class Settings:
    """How the function serves.

    Attributes:
        bundle: A folder or zip.
        artifact: Its kind; None takes the best that runs here.
        engine: ``auto`` or an engine's name.
        threads: Threads of one inference.
        top_k: Classes returned when a request does not say how many.
    """

    bundle: Path
    artifact: str | None = None
    engine: str = "auto"
    threads: int = 1
    top_k: int = 5

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Reads and checks every variable.

        Args:
            environ: Such as ``os.environ``.

        Raises:
            UsageError: A variable is not what it must be, or no bundle is found; the
                message names the variable.
        """
        root = Path(environ.get("LAMBDA_TASK_ROOT") or ".")
        named = environ.get("SNAPSHIP_BUNDLE")
        return cls(
            bundle=root / named if named else _find_bundle(root),
            artifact=environ.get("SNAPSHIP_ARTIFACT") or None,
            engine=_engine(environ.get("SNAPSHIP_ENGINE") or "auto"),
            threads=_number(environ, "SNAPSHIP_THREADS", 1, MAX_THREADS),
            top_k=_number(environ, "SNAPSHIP_TOP_K", 5, MAX_TOP_K),
        )


def _find_bundle(root: Path) -> Path:
    if (root / "bundle").is_dir():
        return root / "bundle"
    found = sorted(root.glob("*.bundle"))
    if not found and (root / MANIFEST_FILE).is_file():
        return root
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise UsageError(
            f"SNAPSHIP_BUNDLE must be set where {root} holds no folder bundle and not exactly one *.bundle. "
            f"Received: {names}. Set it to the bundle's path."
        )
    return found[0]


def _engine(name: str) -> str:
    known = ["auto", *ENGINES]
    if name not in known:
        raise UsageError(
            f"SNAPSHIP_ENGINE must be a known engine. Received: {name!r}. Use one of: {', '.join(known)}."
        )
    return name


def _number(environ: Mapping[str, str], variable: str, default: int, largest: int) -> int:
    text = environ.get(variable)
    if not text:
        return default
    if not re.fullmatch("[0-9]{1,9}", text, re.ASCII) or not 1 <= int(text) <= largest:
        raise UsageError(
            f"{variable} must be a whole number from 1 to {largest}. Received: {text!r}. "
            f"Set it to {default} or unset it."
        )
    return int(text)
