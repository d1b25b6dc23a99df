"""``snapship phone``: parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click

from edge_runtime.cli.options import FilledPath
from edge_runtime.common.terminal import GroupedCommand, StepProgress
from phone.app.reduced_bundle import KINDS
from phone.making import PhoneConfig, make_app


@click.command(cls=GroupedCommand, groups={"Output": "--out --single-file --json", "App": "--artifact --allow-failed --engine"})
@click.argument("bundle", type=FilledPath(path_type=Path))
@click.option("--out", type=FilledPath(path_type=Path), metavar="DIR", help="Folder.")
@click.option("--single-file", type=FilledPath(path_type=Path), metavar="FILE", help="x")
@click.option("--artifact", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="x")
@click.option("--allow-failed", is_flag=True, help="x")
@click.option("--engine", type=FilledPath(path_type=Path), metavar="DIR", help="x")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def phone(bundle, out, single_file, artifact, allow_failed, engine, as_json):
    """Make an app."""
    with StepProgress() as progress:
        made = make_app(PhoneConfig(bundle, out, artifact, engine, single_file, allow_failed), progress)
    click.echo(str(made))
