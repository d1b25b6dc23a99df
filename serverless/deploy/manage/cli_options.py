"""Options that the cloud's commands share.

Progress of the cloud's commands: lines on stderr and, on a terminal, a spinner with the current step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import msgspec

from edge_runtime.common.terminal import live_console, printable
from serverless.deploy.stack.stack import Progress

Command = TypeVar("Command", bound=Callable[..., Any])


def where(command: Command) -> Command:
    """Adds ``--region`` and ``--profile``."""
    profile = click.option("--profile", metavar="NAME", help="Profile of ~/.aws; default: AWS's default.")
    region = click.option("--region", metavar="REGION", help="E.g. eu-central-1; default: AWS's default.")
    return region(profile(command))


def as_json(command: Command) -> Command:
    """Adds ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def echo_json(value: Any) -> None:
    """Prints one or more structs as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


@contextmanager
def console() -> Iterator[Progress]:
    """Yields a progress callback; each line starts with the seconds since the beginning."""
    begin = time.monotonic()
    with live_console() as terminal:
        if terminal is None:
            yield lambda line: click.echo(f"{time.monotonic() - begin:5.0f} s  {printable(line)}", err=True)
            return
        from rich.text import Text

        with terminal.status(Text("Starting")) as status:

            def progress(line: str) -> None:
                text = printable(line)
                terminal.print(Text(f"{time.monotonic() - begin:5.0f} s  {text}"), soft_wrap=True)
                status.update(Text(text))

            yield progress
