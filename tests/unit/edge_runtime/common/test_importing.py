"""Around the import of a large package: no collector, and in a command's process nothing that it never uses."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from pathlib import Path

import pytest

from edge_runtime.common import importing
from edge_runtime.common.importing import OPTIONAL, command_runs_alone, large_import


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that says which of the optional ones it found."""
    lines = ["import importlib", "found = []", f"for name in {OPTIONAL!r}:"]
    lines += ["    try:", "        importlib.import_module(name)", "        found.append(name)"]
    lines += ["    except ImportError:", "        pass"]
    (tmp_path / "large_package.py").write_text("\n".join(lines))
    for name in OPTIONAL:
        place = tmp_path
        for part in name.split("."):
            place /= part
            place.mkdir(exist_ok=True)
            (place / "__init__.py").touch()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("jax", "matplotlib", "sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(importing, "_alone", False)
    return "large_package"


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("large_package", *OPTIONAL, "matplotlib"):
        # Whatever a test imports under these names goes again.
        monkeypatch.setitem(sys.modules, name, sys)
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("enabled", [True, False])
def test_collector_is_off_within_and_afterwards_as_before(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        with large_import():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_imported_is_frozen_where_what_came_first_is(frozen: bool) -> None:
    before = gc.get_freeze_count()
    gc.unfreeze()
    try:
        if frozen:
            gc.freeze()
        count = gc.get_freeze_count()
        with large_import():
            made: list[object] = [[] for _ in range(1000)]
        assert len(made) == 1000
        assert gc.get_freeze_count() >= (count + 1000 if frozen else 0)
        assert bool(gc.get_freeze_count()) == frozen
    finally:
        (gc.freeze if before else gc.unfreeze)()


def test_a_library_hides_nothing_from_the_packages_that_it_imports(package: str) -> None:
    with large_import():
        assert import_module(package).found == list(OPTIONAL)


def test_a_command_imports_nothing_optional_with_them_and_can_afterwards(package: str) -> None:
    command_runs_alone()
    with large_import("jax"):
        assert import_module(package).found == ["jax"]
    for name in OPTIONAL:
        import_module(name)


def test_a_command_takes_nothing_away_that_it_has_loaded(package: str) -> None:
    command_runs_alone()
    loaded = import_module("sklearn")
    with large_import():
        assert import_module(package).found == ["sklearn"]
    assert sys.modules["sklearn"] is loaded
