"""One trained run, and the bundle made of it, for all integration tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from exporter import ExportConfig, export
from trainer import Run, TrainConfig, train


@pytest.fixture(scope="session")
def digits_run(once: Callable[..., Any]) -> Run:
    """The digits after a few epochs. Read only."""

    def make(base: Path) -> Run:
        # Not in the precision that suits the machine: what it gets wrong should be nearly the same on all.
        config = TrainConfig(
            data="digits", model="small_cnn", out=base / "run", epochs=6, cache_dir=base / "cache",
            precision="float32",
        )  # fmt: skip
        return train(config)

    return cast(Run, once("digits", make))


@pytest.fixture(scope="session")
def exported(digits_run: Run, once: Callable[..., Any]) -> Path:
    """Its bundle. Read only."""
    return cast(
        Path,
        once("exported", lambda base: export(ExportConfig(digits_run.path, base / "digits.bundle")).location),
    )
