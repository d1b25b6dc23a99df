"""``snapship.__all__`` against reality."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import snapship

ROOT = Path(snapship.__file__).resolve().parent.parent


def test_all_is_sorted_and_without_doubles() -> None:
    assert snapship.__all__ == sorted(set(snapship.__all__))


@pytest.mark.parametrize("name", snapship.__all__)
def test_exported_name_is_the_house_s_own(name: str) -> None:
    if name == "__version__":
        assert re.match(r"\d", snapship.__version__)
        return
    value = getattr(snapship, name)
    owners = [house for house in _type_checking_imports() if name in _type_checking_imports()[house]]
    assert len(owners) == 1
    assert value is getattr(import_module(owners[0]), name)
    assert name in dir(snapship)


def test_every_name_is_told_to_type_checkers() -> None:
    told = {name for names in _type_checking_imports().values() for name in names}
    assert told | {"__version__"} == set(snapship.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        snapship.nonsense  # noqa: B018


def test_version_is_that_of_the_project() -> None:
    from snapship.extras import UNKNOWN

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert snapship.__version__ in (project["version"], UNKNOWN)


@pytest.mark.parametrize("house", ["edge_runtime", "trainer", "exporter", "serverless", "phone"])
def test_house_exports_what_it_says(house: str) -> None:
    module = import_module(house)
    names = getattr(module, "__all__", [])
    assert list(names) == sorted(set(names))
    assert not [name for name in names if not hasattr(module, name)]


def _type_checking_imports() -> dict[str, list[str]]:
    tree = ast.parse(Path(snapship.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    found: dict[str, list[str]] = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            found.setdefault(str(node.module), []).extend(alias.name for alias in node.names)
    return found
