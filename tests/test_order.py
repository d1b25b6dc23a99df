"""How tests are spread over processes: the places that conftest.py names are there, and slow things made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import APART, LONGEST, ROOT, TOGETHER, pytest_collection_modifyitems


def test_places_of_long_tests_are_there() -> None:
    missing = [place for place in (*LONGEST, *APART, *TOGETHER) if not (ROOT / place).exists()]
    assert not missing, "Name where they are now in tests/conftest.py"


def test_long_tests_come_first_and_the_rest_stays_in_its_order() -> None:
    names = [
        "tests/unit/b.py::t",
        "tests/unit/a.py::t",
        "tests/e2e/x.py::t",
        f"{LONGEST[1]}::t",
        f"{LONGEST[0]}::t",
    ]
    items: list[Any] = [SimpleNamespace(nodeid=name) for name in names]
    pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == [names[4], names[3], names[2], names[0], names[1]]


def test_slow_things_are_made_once_and_again_after_a_failure(once: Callable[..., Any]) -> None:
    calls = []

    def make(folder: Path) -> Path:
        assert not list(folder.iterdir())
        (folder / "file").touch()
        calls.append(folder)
        if len(calls) == 1:
            raise ValueError("the first time")
        return folder / "file"

    with pytest.raises(ValueError, match="the first time"):
        once("of-test-order", make)
    made = once("of-test-order", make)
    assert made.is_file()
    assert once("of-test-order", make) == made
    assert len(calls) == 2
