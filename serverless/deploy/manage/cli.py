"""``snapship status``, ``invoke``, ``logs``, ``rollback`` and ``destroy``: existing deployments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from edge_runtime.common.errors import ImageError, UsageError
from edge_runtime.common.terminal import Column, print_table, printable
from serverless.deploy.manage import cli_options
from serverless.deploy.manage.cli_options import console


@click.command()
@click.argument("name", required=False)
@cli_options.where
@cli_options.as_json
def status(name: str | None, region: str | None, profile: str | None, as_json: bool) -> None:
    """Show the status of NAME; without NAME, list all deployments.

    \b
    Examples:
      snapship status
      snapship status flowers --json
    """
    from serverless.aws import Connection
    from serverless.deploy.manage.status import deployments
    from serverless.deploy.manage.status import status as status_of

    aws = Connection(region, profile)
    if name is None:
        listed = deployments(aws)
        if as_json:
            cli_options.echo_json(listed)
        elif not listed:
            click.echo(f"No deployments in {aws.region} of account {aws.account}.")
        else:
            columns = [Column("name"), Column("state"), Column("updated"), Column("URL")]
            print_table(columns, [(one.name, one.state, one.updated, one.url) for one in listed])
        return
    found = status_of(name, aws)
    if as_json:
        cli_options.echo_json(found)
    else:
        _print_status(found)


def _only_stdin(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Other users of the machine can read a command line."""
    if value not in (None, "-"):
        raise UsageError(
            "--key must be -, as other users can see a secret in the list of processes. Received: a secret. "
            "Set SNAPSHIP_API_KEY, or pass --key - and the secret on stdin."
        )
    return value


@click.command()
@click.argument("name")
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--http", is_flag=True, help="Call the endpoint's URL, as clients do; default: call Lambda's API."
)
@click.option(
    "--key",
    metavar="-",
    callback=_only_stdin,
    help="Read the API key for --http from stdin; default: SNAPSHIP_API_KEY.",
)
@click.option("--top-k", type=click.IntRange(1), metavar="N", help="Number of classes to return.")
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
    """Classify IMAGE with the endpoint NAME.

    \b
    Examples:
      snapship invoke flowers photo.jpg
      snapship invoke flowers photo.jpg --http --json
      snapship invoke flowers photo.jpg --http --key - < key.txt
    """
    from serverless.aws import Connection
    from serverless.deploy.manage.invoking import invoke_api, invoke_http
    from serverless.deploy.manage.status import look_up

    try:
        content = image.read_bytes()
    except OSError as error:
        raise ImageError(
            f"The image must be a readable file. Received: {image} ({error.strerror}). Check the path."
        ) from error
    secret = os.environ.get("SNAPSHIP_API_KEY") if key is None else sys.stdin.readline().strip()
    aws = Connection(region, profile)
    found = look_up(aws, name)
    answer = (
        invoke_http(found, aws, content, top_k, secret) if http else invoke_api(found, aws, content, top_k)
    )
    if as_json:
        cli_options.echo_json(answer)
        return
    for entry in answer.get("predictions", []):
        click.echo(f"{float(entry['score']):8.2%}  {printable(str(entry['label']))}")


@click.command()
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@click.option(
    "--since", default="10m", show_default=True, metavar="TIME", help="How far back: 90s, 10m, 2h, 7d."
)
@cli_options.where
def logs(name: str, follow: bool, since: str, region: str | None, profile: str | None) -> None:
    """Print the log of NAME: one JSON object per request.

    \b
    Examples:
      snapship logs flowers --since 2h
      snapship logs flowers --follow | jq 'select(.status >= 500)'
    """
    from serverless.aws import Connection
    from serverless.deploy.manage.invoking import read, seconds_of
    from serverless.deploy.manage.status import look_up

    seconds = seconds_of(since)
    aws = Connection(region, profile)
    count = read(look_up(aws, name), aws, seconds, lambda line: click.echo(printable(line)), follow=follow)
    if not count:
        click.echo(f"No log lines in the last {since}. Pass a longer --since.", err=True)


@click.command()
@click.argument("name")
@click.option("--to", metavar="VERSION", help="Version number; default: the previously live version.")
@cli_options.where
@cli_options.as_json
def rollback(name: str, to: str | None, region: str | None, profile: str | None, as_json: bool) -> None:
    """Send all calls of NAME to the previous version at once, and end any canary.

    \b
    Example:
      snapship rollback flowers
    """
    from serverless.aws import Connection
    from serverless.deploy.manage.rollback import rollback as roll_back

    with console() as progress:
        done = roll_back(name, Connection(region, profile), progress, to=to)
    if as_json:
        cli_options.echo_json(done)
    else:
        click.echo(
            f"Version {done.version} of {done.name} now gets all calls; version {done.left} gets none."
        )


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--delete-images", is_flag=True, help="Also delete the objects in the input bucket.")
@click.option("--bucket", metavar="CODE_BUCKET", help="Your own code bucket, used by a deploy that failed.")
@cli_options.where
def destroy(
    name: str, yes: bool, delete_images: bool, bucket: str | None, region: str | None, profile: str | None
) -> None:
    """Remove NAME and everything that was created for it.

    \b
    Example:
      snapship destroy flowers
    """
    from serverless.aws import Connection
    from serverless.deploy.manage.destroying import destroy as remove
    from serverless.deploy.manage.destroying import find

    aws = Connection(region, profile)
    removal = find(name, aws, bucket)
    click.echo(f"In {aws.region} of account {aws.account}:")
    for line in removal.lines:
        click.echo(f"  {printable(line)}")
    for images, count in removal.images:
        click.echo(
            f"  {count:,} objects in {images}{'' if delete_images else ', which must be emptied first'}"
        )
    refused = bool(removal.images) and not delete_images
    if not yes and not refused and not _confirmed():
        raise UsageError(
            "destroy must be confirmed. Received: no. Nothing was removed; answer y, or pass --yes."
        )
    with console() as progress:
        remove(removal, aws, progress, with_images=delete_images)
    click.echo(f"Removed {name}.")


def _confirmed() -> bool:
    try:
        return click.confirm("Remove all of this?", err=True)
    except click.Abort:
        # Ctrl-C, or no terminal to answer on.
        return False


def _print_status(found: Any) -> None:
    click.echo(f"{found.name}: {found.state}, updated {found.updated}")
    click.echo(f"{found.url or 'no URL yet'} (auth {found.auth})")
    if found.live is not None:
        click.echo(f"Live: version {found.live}, {found.python}, {found.arch}, {found.memory_mb:,} MB")
    if found.busy is not None:
        click.echo(f"In progress: {found.busy}")
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
            version.code_sha256[:16] + (" (rollback possible)" if version.can_go_back else ""),
        )
        for version in found.versions
    ]
    print_table(columns, rows)
    for alarm in found.alarms:
        click.echo(
            f"{alarm.state:<17} {alarm.name}" + (f" ({alarm.reason})" if alarm.state == "ALARM" else "")
        )
