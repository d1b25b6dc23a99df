"""One trained run, and the bundle made of it, for all integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter import ExportConfig, export
from trainer import Run, TrainConfig, train


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The digits after a few epochs. Read only."""
    base = tmp_path_factory.mktemp("digits")
    return train(
        TrainConfig(data="digits", model="small_cnn", out=base / "run", epochs=6, cache_dir=base / "cache")
    )


@pytest.fixture(scope="session")
def exported(digits_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle. Read only."""
    out = tmp_path_factory.mktemp("exported") / "digits.bundle"
    export(ExportConfig(source=digits_run.path, out=out))
    return out
