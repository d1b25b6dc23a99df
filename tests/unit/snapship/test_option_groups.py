"""``--help`` of a command with many options lists them under headings."""

from __future__ import annotations

import re
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from edge_runtime.common.terminal import OTHER, GroupedCommand
from snapship.commands import COMMANDS

MANY = 12
"""Options that a reader still finds in one list."""


def loaded(name: str) -> click.Command:
    command: click.Command = getattr(import_module(COMMANDS[name].module), name)
    return command


def options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option)]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_of_a_long_help_is_in_exactly_one_group(name: str) -> None:
    command = loaded(name)
    if not isinstance(command, GroupedCommand):
        assert len(options(command)) < MANY
        return
    by_word = {word: option.name for option in options(command) for word in option.opts}
    listed = [by_word[word] for words in command.groups.values() for word in words]
    assert sorted(map(str, listed)) == sorted(str(option.name) for option in options(command))
    other = CliRunner().invoke(command, ["--help"]).output.partition(f"{OTHER}:\n")[2]
    assert re.findall(r"--[a-z-]+", other.splitlines()[0]) == ["--help"]


@click.command(cls=GroupedCommand, groups={"Input": "--size", "Output": "--out --json"})
@click.argument("data")
@click.option("--out", metavar="DIR", help="Where to write.")
@click.option("--size", type=int, help="Side.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--secret", hidden=True)
@click.option("--a-name-that-is-longer-than-the-column", help="Below.")
def sample(**_: object) -> None:
    """A sample."""


def test_help_has_the_groups_in_order_with_one_column_and_the_rest_at_the_end() -> None:
    shown = CliRunner().invoke(sample, ["--help"]).output.partition("A sample.\n\n")[2]
    assert shown.splitlines() == [
        "Input:",
        "  --size INTEGER                  Side.",
        "",
        "Output:",
        "  --out DIR                       Where to write.",
        "  --json                          Print JSON.",
        "",
        "Other options:",
        "  --a-name-that-is-longer-than-the-column TEXT",
        "                                  Below.",
        "  --help                          Show this message and exit.",
    ]
