"""The group imports a command when it is used, and nothing that fails leaves a traceback."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from edge_runtime.common import importing
from snapship.cli import cli
from snapship.commands import COMMANDS, SECTIONS, Entry
from snapship.extras import version

Body = Callable[[], Any]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[Body], None]:
    """Puts a command named ``planted`` in the table."""

    def put(body: Body) -> None:
        monkeypatch.setitem(COMMANDS, "planted", Entry("planted", f"{__name__}:planted", "A test."))
        command = click.command("planted")(body)
        monkeypatch.setattr("snapship.cli.import_module", lambda name: _Module(command))

    return put


class _Module:
    def __init__(self, planted: click.Command) -> None:
        self.planted = planted


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_exists_and_has_an_example(name: str) -> None:
    command = getattr(import_module(COMMANDS[name].module), name)
    assert isinstance(command, click.Command)
    shown = run(name, "--help")
    assert shown.exit_code == 0
    assert f"Usage: snapship {name}" in shown.output
    assert "Example" in shown.output
    assert f"snapship {name}" in shown.output.partition("Example")[2]


@pytest.mark.parametrize("words", [("planted",), ("--help",), ("nothing",)])
def test_garbage_is_collected_again_when_a_command_runs(
    plant: Callable[[Body], None], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It says there that it has the process for itself, which is not so here.
    monkeypatch.setattr(importing, "_alone", False)
    during: list[bool] = []
    plant(lambda: during.append(gc.isenabled()))
    # As the program starts.
    gc.disable()
    try:
        run(*words)
        assert gc.isenabled()
        assert importing._alone
        assert during == [True] * (words == ("planted",))
    finally:
        gc.enable()
        gc.unfreeze()


def test_help_lists_every_command_in_its_section() -> None:
    shown = run("--help").output
    places = [shown.index(f"\n{title}:") for title in SECTIONS]
    assert places == sorted(places)
    for entry in COMMANDS.values():
        assert entry.help in shown


def test_version_is_printed() -> None:
    assert run("--version").output == f"snapship {version()}\n"


def test_unknown_command_lists_close_matches() -> None:
    failed = run("trian")
    assert failed.exit_code == 2
    assert failed.stderr == (
        "Error: The command must be a known name. Received: 'trian'. Did you mean: train, run? "
        "Run: snapship --help\n"
    )
    assert "Use one of: train, models" in run("zzzzzz").stderr


def test_no_command_shows_the_help_and_is_bad_usage() -> None:
    failed = run()
    assert failed.exit_code == 2
    assert "Examples:" in failed.stderr
    assert failed.stdout == ""


@pytest.mark.parametrize(
    "words",
    [("--nonsense",), ("predict",), ("predict", "b", "i", "--top-k", "0"), ("info", "--nonsense", "b")],
)
def test_bad_usage_is_one_line_with_a_hint(words: tuple[str, ...]) -> None:
    failed = run(*words)
    assert failed.exit_code == 2
    assert failed.stderr.startswith("Error: ")
    assert failed.stderr.count("\n") == 1
    assert "--help" in failed.stderr


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3), (True, 0), ("text", 0)])
def test_returned_number_is_the_exit_code(plant: Callable[[Body], None], returned: Any, code: int) -> None:
    plant(lambda: returned)
    assert run("planted").exit_code == code


def test_exit_of_the_context_is_the_exit_code(plant: Callable[[Body], None]) -> None:
    plant(lambda: click.get_current_context().exit(3))
    assert run("planted").exit_code == 3


def raising(error: BaseException) -> Body:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (RuntimeError("two\nlines"), 70, "RuntimeError: two lines."),
        (EOFError(), 70, "EOFError"),
        (MemoryError(), 70, "MemoryError"),
    ],
)
def test_anything_raised_is_one_line(
    plant: Callable[[Body], None], error: BaseException, code: int, line: str
) -> None:
    plant(raising(error))
    failed = run("planted")
    assert failed.exit_code == code
    assert line in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_debug_shows_the_traceback(plant: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAPSHIP_DEBUG", "1")
    plant(raising(RuntimeError("boom")))
    assert "Traceback (most recent call last)" in run("planted").stderr


def test_without_standalone_mode_the_error_itself_is_raised(plant: Callable[[Body], None]) -> None:
    plant(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        cli(["planted"], standalone_mode=False)
    assert os.environ.get("SNAPSHIP_DEBUG") is None
