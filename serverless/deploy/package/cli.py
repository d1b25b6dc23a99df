"""``snapship package``: a bundle as a zip for AWS Lambda, or as a container's build context."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_runtime.common.temporary import temporary_files_together
from edge_runtime.common.terminal import Column, print_table, printable
from serverless.deploy.manage import cli_options
from serverless.deploy.manage.cli_options import console
from serverless.deploy.package.config import PackageConfig, WrittenPackage
from serverless.deploy.package.packaging import package as write_package

_MB = 1024 * 1024


# Each option but --json is passed on to the field of its name.
@click.command("package")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="ZIP", help="Zip file to write.")
@click.option(
    "--image", type=click.Path(path_type=Path), metavar="DIR",
    help="Write a Dockerfile and its build context instead.",
)  # fmt: skip
@cli_options.target
@click.option("--artifact", metavar="KIND", help="E.g. tflite-int8; default: the best that passed.")
@click.option("--overwrite", is_flag=True, help="Replace an existing zip or build context.")
@cli_options.as_json
@temporary_files_together()
def package(as_json: bool, **options: Any) -> None:
    """Package BUNDLE for AWS Lambda: one artifact, the app, and pruned libraries.

    The zip is reproducible byte for byte. Before it is written, the golden images are replayed from
    the packaged files if this machine can run them. Wheels are downloaded once and cached. Exit code
    1: a golden image got a different answer. 2: an option is wrong, or the package exceeds a limit
    of AWS. 4: a wheel is not available.

    \b
    Examples:
      snapship package flowers.bundle --out lambda.zip
      snapship package flowers.bundle --out lambda.zip --arch arm64 --python 3.14
      snapship package flowers.bundle --image flowers-image
    """
    config = PackageConfig(**options)
    with console() as progress:
        made = write_package(config, progress)
    if as_json:
        click.echo(json.dumps({**asdict(made), "path": str(made.path)}, indent=2))
        return
    _print(made)


def _print(made: WrittenPackage) -> None:
    zipped = bool(made.bytes)
    columns = [Column("package"), Column("version"), Column("files", right=True), Column("MB", right=True)]
    rows = [
        [part.name, part.version, f"{part.files:,}", f"{part.bytes / _MB:.2f}"]
        + ([f"{part.zipped_bytes / _MB:.2f}"] if zipped else [])
        for part in made.sizes
    ]
    total = ["total", "", f"{sum(part.files for part in made.sizes):,}", f"{made.unzipped_bytes / _MB:.2f}"]
    rows.append(total + ([f"{made.bytes / _MB:.2f}"] if zipped else []))
    print_table(columns + ([Column("MB zipped", right=True)] if zipped else []), rows)
    what = "Package" if zipped else "Build context"
    click.echo(f"{what}: {printable(str(made.path))} ({made.artifact}, Python {made.python}, {made.arch})")
    if zipped:
        click.echo(f"sha256: {made.sha256}")
    if made.checked:
        click.echo(f"Replayed: {made.checked} golden images got the same answers as at export.")
    for note in made.notes:
        click.echo(note)
