"""The device's commands ``selftest`` and ``info``."""

from __future__ import annotations

import json

import click

from edge_runtime.bundle import Bundle
from edge_runtime.cli_options import FilledPath, engine_options
from edge_runtime.cli_output import print_info, print_selftest, selftest_record
from edge_runtime.engines.selection import nothing_runs
from edge_runtime.errors import GateFailedError
from edge_runtime.golden import read_golden, verify_files
from edge_runtime.golden import selftest as replay_golden
from edge_runtime.manifest import encode_json
from edge_runtime.native_output import quiet


@click.command()
@click.argument("bundle", type=FilledPath())
@click.option(
    "--artifact",
    "artifacts",
    metavar="KIND",
    multiple=True,
    help="Artifact to replay; repeatable. Default: all.",
)
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def selftest(bundle: str, artifacts: tuple[str, ...], engine: str, threads: int, as_json: bool) -> None:
    """Replay the golden examples of a bundle on this machine.

    Compares each stage (file, decoded image, pixels, scores) with what was recorded at
    export. The exit code is 1 if one differs, and 4 if no installed engine runs any artifact.

    \b
    Example:
      snapship selftest flowers.bundle
    """
    with quiet():
        opened = Bundle.open(bundle)
        outcome = replay_golden(opened, artifacts=artifacts, engine=engine, threads=threads)
    if as_json:
        click.echo(json.dumps(selftest_record(outcome), indent=2))
    else:
        print_selftest(outcome)
    # An artifact that was named must not be skipped silently.
    if not outcome.replays or (artifacts and outcome.skipped):
        skipped = [opened.artifact(kind) for kind in outcome.skipped]
        raise nothing_runs("A self-test", skipped, [] if engine == "auto" else [engine])
    different = [replay for replay in outcome.replays if replay.failed is not None]
    if different:
        first = different[0]
        raise GateFailedError(
            f"Every golden example must match the export. Received: {len(different)} of "
            f"{len(outcome.replays)} differ, first {first.file} on {first.artifact} at stage "
            f"{first.failed}. Copy the bundle again, or use the library versions it was exported with."
        )


@click.command()
@click.argument("bundle", type=FilledPath())
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def info(bundle: str, as_json: bool) -> None:
    """Show the contents of a bundle and verify its files.

    \b
    Example:
      snapship info flowers.bundle
    """
    opened = Bundle.open(bundle)
    manifest = opened.manifest
    if as_json:
        verify_files(opened)
        click.echo(encode_json(manifest), nl=False)
        return
    print_info(manifest, examples=len(read_golden(opened).examples) if manifest.golden is not None else 0)
    click.echo(f"\nVerified: {verify_files(opened)} files match their sha256.")
