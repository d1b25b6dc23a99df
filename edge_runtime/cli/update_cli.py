"""``snapship pull`` and ``snapship sign``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from edge_runtime.cli.options import FilledPath
from edge_runtime.common.errors import UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.terminal import StepProgress
from edge_runtime.common.text import printable
from edge_runtime.engines import ENGINES
from edge_runtime.updates import pulling, signing
from edge_runtime.updates.signature import read_public_keys


@click.command()
@click.argument("source", required=False, type=FilledPath())
@click.option(
    "--to",
    type=FilledPath(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder that holds the versions; programs open DIR/current.",
)
@click.option(
    "--key",
    type=FilledPath(path_type=Path),
    envvar="SNAPSHIP_PUBLIC_KEY",
    metavar="FILE",
    help="Public key (.pub) that the bundle must be signed with; also SNAPSHIP_PUBLIC_KEY.",
)
@click.option("--rollback", "back", is_flag=True, help="Return to the previous version instead of fetching.")
@click.option(
    "--recheck", is_flag=True, help="Run the self-test again after the switch, and switch back if it fails."
)
@click.option(
    "--engine",
    type=click.Choice(["auto", *ENGINES]),
    default="auto",
    show_default=True,
    help="Interpreter for the self-test.",
)
@click.option("--allow-http", is_flag=True, help="Allow unencrypted http://; for trusted networks only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def pull(
    source: str | None,
    to: Path,
    key: Path | None,
    back: bool,
    recheck: bool,
    engine: str,
    allow_http: bool,
    as_json: bool,
) -> None:
    """Fetch a bundle, verify and test it, then switch to it.

    SOURCE is a bundle folder, a .zip, https://SERVER/FILE.zip or s3://BUCKET/KEY.zip. The
    current version stays in use until the new one has passed its self-test on this machine,
    and is kept as the previous version. The exit code is 1 if the self-test fails, 2 if the
    source or its signature is invalid, and 4 if an extra is missing.

    \b
    Examples:
      snapship pull https://example.com/flowers.zip --to models --key team.pub
      snapship predict models/current photo.jpg
      snapship pull --rollback --to models
    """
    if back == (source is not None):
        raise UsageError(
            f"pull takes either a SOURCE or --rollback. Received: {'both' if back else 'neither'}. "
            "Run: snapship pull --help"
        )
    keys = read_public_keys(key) if key is not None else ()
    if source is None:
        with quiet():
            done = pulling.rollback(to, keys=keys, engine=engine)
    else:
        with StepProgress(lines=False) as bar, quiet():
            done = pulling.pull(
                source,
                to,
                keys=keys,
                allow_http=allow_http,
                engine=engine,
                recheck=recheck,
                progress=lambda step, done, total: bar(f"{step}, MB", done // 1_000_000, total // 1_000_000),
            )
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2))
    else:
        _print_pulled(done, to)


@click.command()
@click.argument("bundle", required=False, type=FilledPath(path_type=Path))
@click.option(
    "--key", type=FilledPath(path_type=Path), metavar="PRIVATE.pem", help="Private key to sign with."
)
@click.option(
    "--new-key", type=FilledPath(path_type=Path), metavar="NAME", help="Create NAME.pem and NAME.pub instead."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sign(bundle: Path | None, key: Path | None, new_key: Path | None, as_json: bool) -> None:
    """Sign a bundle, so that devices can reject all others.

    Writes signature.json into the bundle (a folder or a .zip). Sign last: any later change,
    including one by snapship check, invalidates the signature.

    \b
    Examples:
      snapship sign --new-key team
      snapship sign flowers.bundle --key team.pem
    """
    if new_key is not None and (bundle is not None or key is not None):
        raise UsageError(
            "sign takes either a BUNDLE with --key, or --new-key. Received: both. Run: snapship sign --help"
        )
    if new_key is not None:
        private, public, name = signing.new_key(new_key)
        if as_json:
            click.echo(json.dumps({"key_id": name, "private": str(private), "public": str(public)}, indent=2))
        else:
            click.echo(
                f"Made key {name}.\n{private}  private: never copy it to a device\n{public}  copy it to the devices"
            )
        return
    if bundle is None or key is None:
        raise UsageError(
            "sign needs a BUNDLE and --key. Received: only one or none. Run: snapship sign --help"
        )
    signature = signing.sign(bundle, key)
    if as_json:
        click.echo(json.dumps({"bundle": str(bundle), "key_id": signature.key_id}, indent=2))
    else:
        click.echo(f"Signed {printable(str(bundle))} with key {signature.key_id}.")


def _print_pulled(done: pulling.Pulled, to: Path) -> None:
    said = {"installed": "Installed", "unchanged": "Already current:", "rolled back": "Rolled back to"}
    click.echo(
        f"{said[done.status]} {printable(done.name)} {done.version} in {printable(str(to / 'current'))}"
    )
    if done.trusted:
        click.echo(f"Signed by {done.signature}, verified.")
    elif done.signature is not None:
        click.echo(f"Signed by {printable(done.signature)}, not verified: no --key.")
    else:
        click.echo("Not signed.")
    tested = f"; {done.replays} replays match the export" if done.replays else ""
    skipped = f"; no engine here runs {', '.join(done.skipped)}" if done.skipped else ""
    click.echo(f"Verified: {done.files} files match their sha256{tested}{skipped}.")
    if done.previous is not None:
        click.echo(f"Previous: {done.previous} (snapship pull --rollback --to {printable(str(to))})")
