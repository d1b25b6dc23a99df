"""What importing the house costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

import serverless.app
from edge_runtime.common.errors import EnvironmentMissingError
from serverless.app.entry import Handler
from serverless.serving.cli import serve


@pytest.mark.parametrize("module", ["serverless", "serverless.app"])
def test_the_packages_import_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{name.split('.')[0] for name in sys.modules}}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("starlette", "mangum", "uvicorn", "numpy", "msgspec", "click", "edge_runtime"):
        assert f"'{heavy}'" not in out


def test_a_start_makes_no_dataclass_of_ours() -> None:
    """Making such a class takes ten times as long as making a struct of msgspec."""
    code = """
import dataclasses, sys
import serverless.app.entry, serverless.app.http.routes
ours = [module for name, module in sys.modules.items() if name.split(".")[0] in ("edge_runtime", "serverless")]
print([value for module in ours for value in vars(module).values() if dataclasses.is_dataclass(value)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_all_is_what_is_there() -> None:
    assert serverless.app.__all__ == sorted(serverless.app.__all__)
    assert callable(serverless.app.create_app)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        serverless.app.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("serverless.app.application", lambda: serverless.app.create_app("x")),
        ("serverless.app.entry", lambda: Handler(None)),  # type: ignore[arg-type]
        ("serverless.serving.cli", lambda: serve.main(["x"], standalone_mode=False)),
    ],
)
def test_a_missing_extra_is_told_with_its_pip_command(
    monkeypatch: pytest.MonkeyPatch, place: str, call: Callable[[], object]
) -> None:
    monkeypatch.setattr(f"{place}.find_spec", lambda name: None)
    with pytest.raises(EnvironmentMissingError, match=r"pip install 'snapship\[serverless\]'"):
        call()
