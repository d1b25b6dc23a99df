"""``python -m snapship.clidocs``: writes ``docs/cli.md`` from every command's ``--help``.

A test runs it with ``--check``, so the page is always current.
"""

from __future__ import annotations

from pathlib import Path

import click

from snapship.cli import cli
from snapship.commands import SECTIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
"""The page in a checkout."""

_WIDTH = 100
"""Columns of the help texts, regardless of the terminal."""

_HEAD = """# Commands

Generated from the commands' `--help` by `python -m snapship.clidocs`. Do not edit.
"""


def page() -> str:
    """Returns the page; imports every command."""
    parts = [_HEAD, _block(cli, "snapship")]
    parent = cli.make_context("snapship", [], resilient_parsing=True, terminal_width=_WIDTH)
    for title, entries in SECTIONS.items():
        parts.append(f"## {title}\n")
        for entry in entries:
            command = cli.get_command(parent, entry.name)
            assert command is not None
            parts += [f"### snapship {entry.name}\n", _block(command, entry.name, parent)]
            if isinstance(command, click.Group):
                inner = command.make_context(entry.name, [], parent, resilient_parsing=True)
                for name, part in command.commands.items():
                    parts += [f"### snapship {entry.name} {name}\n", _block(part, name, inner)]
    return "\n".join(parts)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the page is out of date.")
def main(check: bool) -> None:
    """Write docs/cli.md from the help of all commands."""
    text = page()
    if not check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
        click.echo(f"Wrote {PAGE}")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        raise click.ClickException(f"{PAGE.name} is out of date. Run: python -m snapship.clidocs")


def _block(command: click.Command, name: str, parent: click.Context | None = None) -> str:
    context = command.make_context(
        name, ["--help"], parent, resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


if __name__ == "__main__":
    main()
