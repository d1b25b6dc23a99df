"""Fixtures that every tier shares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def digits_bundle() -> Path:
    """A tiny real bundle: digits 0 to 9, 16x16 gray. Read only; copy it to change it."""
    return ROOT / "tests" / "data" / "digits.bundle"


@pytest.fixture
def own_digits_bundle(digits_bundle: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    copy = tmp_path / "digits.bundle"
    shutil.copytree(digits_bundle, copy)
    return copy


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real photos and weights beside the checkout; the test is skipped where they are not."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the real photos and weights in ../shared, which is not there")
    return folder


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the user's settings or caches reaches a test, and no test writes there."""
    for name in [name for name in os.environ if name.startswith(("SNAPSHIP_", "AWS_", "LAMBDA_"))]:
        if name != "SNAPSHIP_HUGE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
