"""Which Python compiles a package: one that starts, is a release, and has the right version."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from serverless.deploy.config.errors import SelfCheckError
from serverless.deploy.package.interpreters import Interpreter, find_interpreter, precompile

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes programs as shell scripts")


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH, on a machine without pyenv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return folder


def program(path: Path, says: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{says}"\nexit {code}\n')
    path.chmod(0o755)
    return path


# One that this interpreter is not, or it would be taken itself.
OTHER = "3.13" if sys.version_info[:2] != (3, 13) else "3.12"


def test_find_interpreter_takes_the_one_on_the_path(only: Path) -> None:
    path = program(only / f"python{OTHER}", f"cpython final {OTHER} {OTHER}.4")
    assert find_interpreter(OTHER) == Interpreter(path, f"{OTHER}.4")


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (f"pyenv: python{OTHER}: command not found", 127),
        (f"cpython candidate {OTHER} {OTHER}.0rc1", 0),
        (f"pypy final {OTHER} {OTHER}.4", 0),
        ("cpython final 3.10 3.10.2", 0),
        ("", 0),
    ],
)
def test_find_interpreter_goes_on_to_pyenv(only: Path, tmp_path: Path, says: str, code: int) -> None:
    program(only / f"python{OTHER}", says, code)
    assert find_interpreter(OTHER) is None
    path = program(
        tmp_path / "pyenv" / "versions" / f"{OTHER}.7" / "bin" / f"python{OTHER}",
        f"cpython final {OTHER} {OTHER}.7",
    )
    assert find_interpreter(OTHER) == Interpreter(path, f"{OTHER}.7")


def test_precompile_names_the_functions_folder_and_no_other(tmp_path: Path) -> None:
    here = Interpreter(Path(sys.executable), sys.version.split()[0])
    found = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        (folder / "pack").mkdir(parents=True)
        (folder / "pack" / "__init__.py").write_text("def f():\n    return __file__\n")
        found.append(precompile(folder, here))
    ((file, data),) = found[0].items()
    assert file == "pack/__init__.pyc"
    assert b"/var/task/pack/__init__.py" in data
    assert str(tmp_path).encode() not in data
    assert found[0] == found[1]


def test_precompile_replaces_sources_but_programs(tmp_path: Path) -> None:
    for name in ("module.py", "program.py"):
        (tmp_path / name).write_text("x = 1\n")
    precompile(tmp_path, Interpreter(Path(sys.executable), "3"), ("program.py",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["module.pyc", "program.py"]


def test_precompile_keeps_the_documentation_of_the_app_alone(tmp_path: Path) -> None:
    for house in ("serverless", "library"):
        (tmp_path / house).mkdir()
        (tmp_path / house / "a.py").write_text('"""A remarkable text."""\n')
    found = precompile(tmp_path, Interpreter(Path(sys.executable), "3"))
    told = {file: b"A remarkable text." in data for file, data in found.items()}
    assert told == {"serverless/a.pyc": True, "library/a.pyc": False}


def test_precompile_tells_a_module_that_does_not_compile(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(SelfCheckError, match="must compile"):
        precompile(tmp_path, Interpreter(Path(sys.executable), "3"))
