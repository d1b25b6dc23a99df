"""The ``snapship`` program."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import click

from snapship.group import LazyGroup
from snapship.version import version


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"snapship {version()}")
        ctx.exit()


@click.group(
    name="snapship",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    subcommand_metavar="COMMAND ...",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Train an image classifier once, ship it, and prove that it still gives the same answers.

    \b
    Examples:
      snapship demo
      snapship predict flowers.bundle photo.jpg
      snapship train photos/ --model mobilenet_v2 --out runs/flowers

    \b
    Exit codes: 0 success, 1 gate failed, 2 invalid usage or input,
                3 inconclusive, 4 something is not installed.
    """


def _open_streams() -> None:
    """Replaces standard streams that the caller closed, which Python leaves as None."""
    if sys.stdout is None:
        # Read-only: output that goes nowhere is an error, as in other programs.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def main() -> None:
    """Runs the program and ends the process."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # File names may not be encodable in the terminal's encoding.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli()
