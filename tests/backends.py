"""Keras backends for tests: installed here, or by ``make acceptance`` in a folder of their own."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def environment_of(backend: str) -> dict[str, str]:
    """Variables for a program of this checkout on a backend; skips the test where that is not installed.

    Args:
        backend: ``jax``, ``tensorflow`` or ``torch``.
    """
    paths = os.pathsep.join(filter(None, [str(ROOT), packages_of(backend)]))
    # Tests run side by side, and PyTorch's threads would wait by working.
    return {"KERAS_BACKEND": backend, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def packages_of(backend: str) -> str:
    """The folder of a backend's packages; empty where they are installed here.

    Args:
        backend: As for :func:`environment_of`.
    """
    if find_spec(backend) is not None:
        return ""
    folder = Path(sys.prefix) / "acceptance" / backend
    if not (folder / ".ready").is_file():
        log = folder / "log.txt"
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
        pytest.skip(f"needs {backend} of make acceptance: {(lines or ['not installed'])[-1]}")
    return str(folder / "packages")
