"""Options that the cloud's commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

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
