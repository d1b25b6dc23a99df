"""Where caches and a debug key are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.common.user_folder import user_folder


def test_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert user_folder("XDG_CACHE_HOME", ".cache") == Path("/home/anna/.cache/snapship")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    assert user_folder("XDG_CACHE_HOME", ".cache") == Path("/scratch/snapship")


def test_no_home_is_no_folder_named_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python gives for a user without a home folder.
    monkeypatch.setenv("HOME", "~")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(UsageError, match="Set XDG_CONFIG_HOME"):
        user_folder("XDG_CONFIG_HOME", ".config")
