"""``docs/cli.md`` is what the commands' ``--help`` says today."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest

from snapship.cli import LazyGroup
from snapship.clidocs import PAGE, page
from snapship.commands import COMMANDS

PAGES = ("README.md", "docs/concepts.md", "docs/recipes.md")


def test_page_is_current() -> None:
    # In a process of its own: click keeps a command's help option as its first caller made it.
    done = subprocess.run(
        [sys.executable, "-m", "snapship.clidocs", "--check"],
        cwd=PAGE.parent.parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_page_has_every_command_and_no_machine_s_paths() -> None:
    text = page()
    for name in COMMANDS:
        assert f"### snapship {name}\n" in text
    assert "/home/" not in text
    assert max(map(len, text.splitlines())) <= 110


def command_of(words: list[str]) -> click.Command:
    group = LazyGroup()
    command = group.get_command(click.Context(group), words[0])
    assert command is not None, words[0]
    return command.commands.get(words[1], command) if isinstance(command, click.Group) else command


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_a_page_have_the_options_that_it_shows(name: str) -> None:
    text = (PAGE.parents[1] / name).read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```(?:sh|text)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^(?:KERAS_BACKEND=\w+ )?snapship (\w.*)$", blocks, flags=re.MULTILINE)
    assert len(lines) > 3
    for line in lines:
        words = re.split(r"  +| &", line)[0]
        known = {option for entry in command_of(shlex.split(words)).params for option in entry.opts}
        assert set(re.findall(r"(?<!\S)--[a-z0-9-]+", words)) <= known, line
