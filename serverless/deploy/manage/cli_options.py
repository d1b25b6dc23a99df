"""Options that the cloud's commands share, and their progress.

Progress is lines on stderr and, on a terminal, a spinner with the current step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, get_args

import click
import msgspec

from edge_runtime.common.terminal import live_console, printable
from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.config.rules import Arch, PythonVersion
from serverless.deploy.stack.stack import Progress

Command = TypeVar("Command", bound=Callable[..., Any])


def where(command: Command) -> Command:
    """Adds ``--region`` and ``--profile``."""
    profile = click.option("--profile", metavar="NAME", help="Profile of ~/.aws; default: AWS's default.")
    region = click.option("--region", metavar="REGION", help="E.g. eu-central-1; default: AWS's default.")
    return region(profile(command))


def target(command: Command) -> Command:
    """Adds ``--arch`` and ``--python``, of the function and its package."""
    arch = click.option(
        "--arch", type=click.Choice(get_args(Arch)), default=Deployment.arch, show_default=True,
        help="Architecture of the function.",
    )  # fmt: skip
    python = click.option(
        "--python", type=click.Choice(get_args(PythonVersion)), default=Deployment.python, show_default=True,
        help="Python version of the function.",
    )  # fmt: skip
    return arch(python(command))


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
