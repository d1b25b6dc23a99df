"""An output that cannot be written is told by its own option, before anything is read, made or downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import UsageError
from snapship.cli import cli

COMMANDS = [
    (["check", "none.bundle", "--junit", "OUT.xml"], "--junit"),
    (["check", "none.bundle", "--report", "OUT.html"], "--report"),
    (["check", "none.bundle", "--json", "OUT.json"], "--json"),
    (["check", "none.bundle", "--baseline", "OUT.json", "--accept"], "--baseline"),
    (["evaluate", "none", "none", "--report", "OUT.html"], "--report"),
    (["data", "check", "none", "--report", "OUT.html"], "--report"),
    (["export", "none", "--out", "OUT.bundle"], "--out"),
    (["export", "none", "--out", "OUT.zip"], "--out"),
    (["train", "none", "--out", "OUT"], "--out"),
    (["train", "none", "--out", "new", "--logs", "OUT"], "--logs"),
    (["predict", "none.bundle", "none.jpg", "--out", "OUT.csv", "--format", "csv"], "--out"),
    (["phone", "none.bundle", "--out", "OUT"], "--out"),
    (["phone", "none.bundle", "--single-file", "OUT.html"], "--single-file"),
    (["phone", "none.bundle", "--apk", "OUT.apk"], "--apk"),
    (["phone", "none.bundle", "--android-project", "OUT"], "--android-project"),
    (["package", "none.bundle", "--out", "OUT.zip"], "--out"),
    (["package", "none.bundle", "--image", "OUT"], "--image"),
    (["pull", "https://127.0.0.1:9/none.zip", "--to", "OUT"], "--to"),
    (["sign", "--new-key", "OUT"], "--new-key"),
    (["run", "mnist", "--data", "none", "--out", "OUT"], "--out"),
    (["demo", "--out", "OUT"], "--out"),
]


@pytest.mark.parametrize("place", ["file/out", "/proc/out"], ids=["in-a-file", "read-only"])
@pytest.mark.parametrize(
    ("words", "option"), COMMANDS, ids=[" ".join(words[:2]) + option for words, option in COMMANDS]
)
def test_an_output_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], option: str, place: str
) -> None:
    """Every other argument is wrong too, so that a command that reads first complains of that."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    asked = [word.replace("OUT", place) for word in words]
    found = CliRunner().invoke(cli, asked, standalone_mode=False)
    assert isinstance(found.exception, UsageError), (found.exception, found.output)
    text = str(found.exception)
    assert option in text
    assert place in text
    assert "Received:" in text
    assert "\n" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("variable", ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"])
def test_the_runner_s_files_are_tried_first_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    found = CliRunner().invoke(cli, ["check", "none.bundle", "--github"], standalone_mode=False)
    assert f"{variable} must name a writable file" in str(found.exception)


def test_two_outputs_are_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["check", "none.bundle", "--junit", "a.txt", "--json", "./a.txt"]
    found = CliRunner().invoke(cli, words, standalone_mode=False)
    assert "must have a file of its own. Received: --junit and --json ./a.txt" in str(found.exception)
    assert not list(tmp_path.iterdir())


def test_an_output_that_can_be_written_leaves_nothing_where_the_work_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["check", "none.bundle", "--junit", "deep/a.xml", "--report", "b.html"]
    found = CliRunner().invoke(cli, words, standalone_mode=False)
    assert "none.bundle" in str(found.exception)
    assert not list(tmp_path.iterdir())
