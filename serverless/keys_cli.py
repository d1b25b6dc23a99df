"""``snapship keys``: creates and tests the API keys of an endpoint."""

from __future__ import annotations

import json
import sys

import click

from edge_runtime.errors import GateFailedError
from serverless.app.keys import MAX_SECRET, new_key, parse


@click.group()
def keys() -> None:
    """Make API keys for an endpoint, and try them.

    \b
    Example:
      snapship keys new phone-app
    """


@keys.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name, secret, entry.")
def new(name: str, as_json: bool) -> None:
    """Make a key for NAME: a secret for the client and its entry for the endpoint.

    The secret is shown only once and stored nowhere. The entry goes into SNAPSHIP_API_KEYS or
    the endpoint's SSM parameter; separate several with commas. To rotate, add the new entry,
    hand out its secret, then remove the old entry; an endpoint rereads its parameter every 5
    minutes.

    \b
    Example:
      snapship keys new phone-app
    """
    secret, entry = new_key(name)
    if as_json:
        click.echo(json.dumps({"name": name, "secret": secret, "entry": entry}))
        return
    click.echo(f"Secret, for the client, shown once:  {secret}")
    click.echo(f"Entry, for the endpoint:             {entry}")
    # On stderr, so that the two lines can be piped.
    click.echo("The client sends the secret as header x-api-key. See: snapship keys new --help", err=True)


@keys.command()
@click.argument("entry")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name.")
def check(entry: str, as_json: bool) -> None:
    """Find the key in ENTRY that a secret belongs to; the secret is read from stdin.

    ENTRY is what `snapship keys new` printed; separate several with commas. Exit code 1 if the
    secret matches none of them.

    \b
    Example:
      printf %s "$SECRET" | snapship keys check "$SNAPSHIP_API_KEYS"
    """
    opened = parse(entry, "ENTRY")
    # Never an argument: everyone can see those in the list of processes.
    secret = sys.stdin.read(MAX_SECRET + 2).strip()
    name = opened.check(secret)
    if name is None:
        raise GateFailedError(
            f"The secret must match one of the keys. Received: one that matches none of {', '.join(opened.names)}. "
            "Make one with: snapship keys new NAME"
        )
    click.echo(json.dumps({"name": name}) if as_json else f"The secret belongs to the key {name}.")
