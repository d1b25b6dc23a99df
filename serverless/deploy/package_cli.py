"""``snapship package``: a bundle as a zip for AWS Lambda, or as a container's build context."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click

from edge_runtime.temporary import temporary_files_together
from edge_runtime.terminal import Column, print_table, printable
from serverless.deploy.package.config import Arch, PackageConfig, PythonVersion
from serverless.deploy.package.packaging import package as write_package
from serverless.deploy.package.result import Package

_MB = 1024 * 1024


@click.command("package")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="ZIP", help="The .zip to write.")
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a Dockerfile and its build context instead.",
)
@click.option(
    "--arch",
    type=click.Choice(get_args(Arch)),
    default="x86_64",
    show_default=True,
    help="The function's processor.",
)
@click.option(
    "--python",
    type=click.Choice(get_args(PythonVersion)),
    default="3.12",
    show_default=True,
    help="The function's Python.",
)
@click.option("--artifact", metavar="KIND", help="Such as tflite-int8; default: the best that passed.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@temporary_files_together()
def package(
    bundle: Path,
    out: Path | None,
    image: Path | None,
    arch: Arch,
    python: PythonVersion,
    artifact: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write what AWS Lambda runs: BUNDLE with one artifact, the app, and pruned libraries.

    The zip is the same byte for byte for the same inputs. The golden images are replayed from
    the packaged files before they are written, where this machine can run them. The wheels are
    downloaded once and kept in the cache. Exit code 1 when a golden image is answered
    differently, 2 when it is over a limit of AWS, 4 when a wheel cannot be had.

    \b
    Examples:
      snapship package flowers.bundle --out lambda.zip
      snapship package flowers.bundle --out lambda.zip --arch arm64 --python 3.14
      snapship package flowers.bundle --image flowers-image
    """
    config = PackageConfig(
        bundle=bundle,
        out=out,
        arch=arch,
        python=python,
        artifact=artifact,
        image=image,
        overwrite=overwrite,
    )
    with _steps() as progress:
        made = write_package(config, progress)
    if as_json:
        click.echo(json.dumps({**asdict(made), "path": str(made.path)}, indent=2))
        return
    _print(made)


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Shows what is being done on stderr: in place on a terminal, a line for each step elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda step: click.echo(step, err=True)
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:
        yield lambda step: status.update(Text(step))


def _print(made: Package) -> None:
    zipped = bool(made.bytes)
    columns = [Column("package"), Column("version"), Column("files", right=True), Column("MB", right=True)]
    rows = [
        [part.name, part.version, f"{part.files:,}", f"{part.bytes / _MB:.2f}"]
        + ([f"{part.zipped_bytes / _MB:.2f}"] if zipped else [])
        for part in made.sizes
    ]
    total = ["all", "", f"{sum(part.files for part in made.sizes):,}", f"{made.unzipped_bytes / _MB:.2f}"]
    rows.append(total + ([f"{made.bytes / _MB:.2f}"] if zipped else []))
    print_table(columns + ([Column("MB zipped", right=True)] if zipped else []), rows)
    what = "Package" if zipped else "Build context"
    click.echo(f"{what}: {printable(str(made.path))} ({made.artifact}, Python {made.python}, {made.arch})")
    if zipped:
        click.echo(f"sha256: {made.sha256}")
    if made.checked:
        click.echo(f"Replayed: {made.checked} golden images are answered as at export.")
    for note in made.notes:
        click.echo(note)
