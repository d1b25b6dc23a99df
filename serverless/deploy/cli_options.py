"""Options that several commands of the cloud share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])


def where(command: F) -> F:
    """Adds ``--region`` and ``--profile``."""
    command = click.option("--profile", metavar="NAME", help="Profile of ~/.aws; default: AWS's own.")(
        command
    )
    return click.option("--region", metavar="REGION", help="Such as eu-central-1; default: AWS's own.")(
        command
    )


def as_json(command: F) -> F:
    """Adds ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def echo_json(value: Any) -> None:
    """Prints a struct, or structs, as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
