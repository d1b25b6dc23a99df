"""``snapship status``, ``invoke``, ``logs``, ``rollback`` and ``destroy``: what is deployed already."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from edge_runtime.errors import ImageError, UsageError
from edge_runtime.terminal import Column, print_table, printable
from serverless.deploy import cli_options
from serverless.deploy.telling import telling


@click.command()
@click.argument("name", required=False)
@cli_options.where
@cli_options.as_json
def status(name: str | None, region: str | None, profile: str | None, as_json: bool) -> None:
    """Show what is live of NAME and how it is; without NAME, list what is deployed.

    \b
    Examples:
      snapship status
      snapship status flowers --json
    """
    from serverless.aws import Connection
    from serverless.deploy import status as looking

    aws = Connection(region, profile)
    if name is None:
        listed = looking.deployments(aws)
        if as_json:
            cli_options.echo_json(listed)
        elif not listed:
            click.echo(f"Nothing of snapship is deployed in {aws.region} of account {aws.account}.")
        else:
            columns = [Column("name"), Column("state"), Column("updated"), Column("address")]
            print_table(columns, [(one.name, one.state, one.updated, one.url) for one in listed])
        return
    found = looking.status(name, aws)
    if as_json:
        cli_options.echo_json(found)
    else:
        _print_status(found)


def _only_stdin(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Everybody on the machine can read the words of a command."""
    if value not in (None, "-"):
        raise UsageError(
            "--key takes no secret, which other users would see in the list of processes. Received: one. "
            "Set SNAPSHIP_API_KEY, or pass --key - and the secret on stdin."
        )
    return value


@click.command()
@click.argument("name")
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--http", is_flag=True, help="Through its address, as other clients do; else through AWS's API."
)
@click.option(
    "--key",
    metavar="-",
    callback=_only_stdin,
    help="Read the API key for --http from stdin; else it is SNAPSHIP_API_KEY.",
)
@click.option("--top-k", type=click.IntRange(1), metavar="N", help="How many classes.")
@cli_options.where
@cli_options.as_json
def invoke(
    name: str,
    image: Path,
    http: bool,
    key: str | None,
    top_k: int | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Ask the endpoint NAME what IMAGE shows.

    \b
    Examples:
      snapship invoke flowers photo.jpg
      snapship invoke flowers photo.jpg --http --json
      snapship invoke flowers photo.jpg --http --key - < key.txt
    """
    from serverless.aws import Connection
    from serverless.deploy.invoking import invoke as call
    from serverless.deploy.invoking import invoke_http
    from serverless.deploy.locating import locate

    try:
        content = image.read_bytes()
    except OSError as error:
        raise ImageError(
            f"An image must be a file that can be read. Received: {image} ({error.strerror}). Check the path."
        ) from error
    secret = os.environ.get("SNAPSHIP_API_KEY")
    if key is not None:
        secret = sys.stdin.readline().strip()
    aws = Connection(region, profile)
    found = locate(aws, name)
    answer = invoke_http(found, aws, content, top_k, secret) if http else call(found, aws, content, top_k)
    if as_json:
        cli_options.echo_json(answer)
        return
    for entry in answer.get("predictions", []):
        click.echo(f"{float(entry['score']):8.2%}  {printable(str(entry['label']))}")


@click.command()
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--since", default="10m", show_default=True, metavar="TIME", help="Such as 90s, 10m, 2h, 7d.")
@cli_options.where
def logs(name: str, follow: bool, since: str, region: str | None, profile: str | None) -> None:
    """Print the log of NAME: a JSON object for each request.

    \b
    Examples:
      snapship logs flowers --since 2h
      snapship logs flowers --follow | jq 'select(.status >= 500)'
    """
    from serverless.aws import Connection
    from serverless.deploy.locating import locate
    from serverless.deploy.logs import read, seconds_of

    seconds = seconds_of(since)
    aws = Connection(region, profile)
    count = read(locate(aws, name), aws, seconds, lambda line: click.echo(printable(line)), follow=follow)
    if not count:
        click.echo(f"No lines in the last {since}. Look further back with --since.", err=True)


@click.command()
@click.argument("name")
@click.option("--to", metavar="VERSION", help="A version's number; default: the one that was live before.")
@cli_options.where
@cli_options.as_json
def rollback(name: str, to: str | None, region: str | None, profile: str | None, as_json: bool) -> None:
    """Send all calls of NAME to the version before, at once; ends a canary.

    \b
    Example:
      snapship rollback flowers
    """
    from serverless.aws import Connection
    from serverless.deploy.rolling_back import rollback as back

    with telling() as say:
        done = back(name, Connection(region, profile), say, to=to)
    if as_json:
        cli_options.echo_json(done)
    else:
        click.echo(f"Version {done.version} of {done.name} gets all calls; version {done.left} gets none.")


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--delete-images", is_flag=True, help="Also delete what lies in the input bucket.")
@click.option("--bucket", metavar="CODE_BUCKET", help="Your own, that packages of a failed deploy went to.")
@cli_options.where
def destroy(
    name: str, yes: bool, delete_images: bool, bucket: str | None, region: str | None, profile: str | None
) -> None:
    """Remove NAME and everything that was made for it.

    \b
    Example:
      snapship destroy flowers
    """
    from serverless.aws import Connection
    from serverless.deploy.destroying import destroy as remove
    from serverless.deploy.destroying import look

    aws = Connection(region, profile)
    removal = look(name, aws, bucket)
    click.echo(f"In {aws.region} of account {aws.account}:")
    for line in removal.lines:
        click.echo(f"  {printable(line)}")
    for images, count in removal.images:
        click.echo(
            f"  {count:,} objects in {images}{'' if delete_images else ', which must be emptied first'}"
        )
    refused_anyway = bool(removal.images) and not delete_images
    if not yes and not refused_anyway and not _confirmed():
        raise UsageError(
            "destroy must be confirmed. Received: no. Nothing was removed; answer y, or pass --yes."
        )
    with telling() as say:
        remove(removal, aws, say, with_images=delete_images)
    click.echo(f"Removed {name}.")


def _confirmed() -> bool:
    try:
        return click.confirm("Remove all of this?", err=True)
    except click.Abort:
        # Ctrl-C, or nobody there to answer.
        return False


def _print_status(found: Any) -> None:
    click.echo(f"{found.name}: {found.state}, changed {found.updated}")
    click.echo(f"{found.url or 'no address yet'} (auth {found.auth})")
    if found.live is not None:
        click.echo(f"Live: version {found.live}, {found.python}, {found.arch}, {found.memory_mb:,} MB")
    if found.busy is not None:
        click.echo(f"Right now: {found.busy}")
    columns = [
        Column("version", right=True),
        Column("calls", right=True),
        Column("published"),
        Column("sha256"),
    ]
    rows = [
        (
            version.version,
            f"{version.share:.0%}",
            version.published,
            version.code_sha256[:16] + (" (rollback goes here)" if version.can_go_back else ""),
        )
        for version in found.versions
    ]
    print_table(columns, rows)
    for alarm in found.alarms:
        click.echo(
            f"{alarm.state:<17} {alarm.name}" + (f" ({alarm.reason})" if alarm.state == "ALARM" else "")
        )
