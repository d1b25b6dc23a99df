"""Environments that hold one engine each, as ``make acceptance`` makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

Device = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def device_of() -> Callable[[str], Device]:
    """Runs this checkout's code in the environment of an engine; skips where that could not be made."""

    def environment(engine: str) -> Device:
        folder = Path(sys.prefix) / "acceptance" / engine
        if not (folder / ".ready").is_file():
            log = folder / "log.txt"
            lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
            errors = [line for line in lines if "error" in line.lower()] + lines[-1:] + ["not installed"]
            pytest.skip(f"needs {engine} of make acceptance: {errors[0]}")

        def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [str(folder / "bin" / "python"), *map(str, words)],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                # Not the folder of this process's packages: they would bring the other engines.
                env={**{k: v for k, v in os.environ.items() if k != "PYTHONHOME"}, "PYTHONPATH": str(ROOT)},
            )

        return run

    return environment
