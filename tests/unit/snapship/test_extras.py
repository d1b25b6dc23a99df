"""The extras are those of ``pyproject.toml``, as the installed distribution has them."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from snapship.commands import COMMANDS
from snapship.extras import NEEDED_BY, OPTIONAL, Package, packages

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return loaded


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~!\[; ]", requirement)[0].lower() for requirement in requirements}


def test_base_install_is_the_project_s_dependencies(project: dict[str, Any]) -> None:
    assert {package.name.lower() for package in packages()[""]} == names(project["dependencies"])


def test_extras_are_the_project_s_own(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    for name in set(extras) - {"dev", "all"}:
        assert {package.name.lower() for package in packages()[name]} == names(extras[name]), name
    assert set(packages()) - {""} == set(extras) - {"dev", "all"}


def test_every_extra_says_which_commands_need_it() -> None:
    assert set(NEEDED_BY) == set(packages())
    assert set(OPTIONAL) < set(packages())
    assert {command for commands in NEEDED_BY.values() for command in commands} <= set(COMMANDS)


def test_module_names_are_those_that_are_imported() -> None:
    assert packages()[""]
    for package in packages()[""]:
        assert package.installed, package
    assert not Package("nonsense", "nonsense_of_a_test").installed


def test_checkout_that_is_not_installed_has_no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    assert packages() == dict.fromkeys(NEEDED_BY, ())
