"""``snapship selftest`` and ``snapship info``."""

from __future__ import annotations

import json
import math
from typing import Any

import click

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.cascade_entry import cascade_entry
from edge_runtime.bundle.manifest import Artifact, Manifest, encode_manifest
from edge_runtime.cli.options import FilledPath, engine_options
from edge_runtime.cli.phone_reports import bundle_and_reports, show_phone_reports
from edge_runtime.cli.rules_in_words import rules_in_words
from edge_runtime.common.errors import GateFailedError, UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.terminal import Cell, Column, print_table
from edge_runtime.common.text import printable, shortened
from edge_runtime.engines.selection import nothing_runs
from edge_runtime.golden import Replay, SelfTest, read_golden, verify_files
from edge_runtime.golden import selftest as replay_golden

_VERDICTS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "unchecked": "dim"}


@click.command()
@click.argument("paths", metavar="BUNDLE", nargs=-1, type=FilledPath())
@click.option(
    "--artifact",
    "artifacts",
    metavar="KIND",
    multiple=True,
    help="Artifact to replay; repeatable. Default: all.",
)
@engine_options
@click.option(
    "--phone-report",
    "reports",
    metavar="FILE",
    multiple=True,
    type=FilledPath(),
    help="Report that an app of snapship phone shared; more may follow. Shows all in one table, with BUNDLE only "
    "those about it, and replays nothing here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def selftest(
    context: click.Context,
    paths: tuple[str, ...],
    artifacts: tuple[str, ...],
    engine: str,
    threads: int,
    reports: tuple[str, ...],
    as_json: bool,
) -> None:
    """Replay the golden examples of a bundle on this machine, or show how phones replayed them.

    Compares each stage (file, decoded image, pixels, scores) with what was recorded at
    export. The engine tflite-micro runs a microcontroller's kernels, and is compared with
    the scores of LiteRT's reference kernels instead. The exit code is 1 if one differs, and
    4 if no installed engine runs any artifact.

    \b
    Examples:
      snapship selftest flowers.bundle
      snapship selftest flowers.bundle --engine tflite-micro
      snapship selftest flowers.bundle --phone-report reports/*.json
    """
    if reports:
        if artifacts or engine != "auto" or threads != 1:
            raise UsageError(
                "--phone-report excludes --artifact, --engine and --threads. Received: both. "
                "Leave them out: the phones have replayed already."
            )
        about, files = bundle_and_reports(paths, reports)
        show_phone_reports(about, files, as_json=as_json)
        return
    bundle = _one(context, paths)
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


def _one(context: click.Context, paths: tuple[str, ...]) -> str:
    """The one argument."""
    if not paths:
        raise click.MissingParameter(ctx=context, param=context.command.params[0])
    if len(paths) > 1:
        raise UsageError(
            f"selftest takes one bundle. Received: {len(paths)}, {shortened(', '.join(paths), 200)}. Pass one."
        )
    return paths[0]


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
        click.echo(encode_manifest(manifest), nl=False)
        return
    print_info(manifest, examples=len(read_golden(opened).examples) if manifest.golden is not None else 0)
    click.echo(f"\nVerified: {verify_files(opened)} files match their sha256.")


def selftest_record(outcome: SelfTest) -> dict[str, Any]:
    """The result of a self-test as plain data for JSON."""
    return {
        "passed": outcome.passed,
        "replays": [
            {
                "artifact": replay.artifact,
                "engine": replay.engine,
                "image": replay.file,
                "failed": replay.failed,
                "max_abs_dp": _finite(replay.max_abs_dp),
                "tolerance": replay.tolerance,
                "detail": replay.detail,
                "recorded_max_abs_dp": _finite(replay.recorded_dp),
            }
            for replay in outcome.replays
        ],
        "skipped": list(outcome.skipped),
    }


def print_selftest(outcome: SelfTest) -> None:
    """Prints the result of a self-test."""
    if outcome.replays:
        numbers = [Column("max |dp|", right=True), Column("allowed", right=True)]
        columns: list[Column | str] = ["artifact", "engine", "image", "result", *numbers]
        print_table(columns, [_replay_row(replay) for replay in outcome.replays])
    for replay in outcome.replays:
        if replay.failed is not None:
            click.echo(f"{replay.artifact} {printable(replay.file)}: {printable(replay.detail)}")
    for engine, worst in _recorded(outcome).items():
        click.echo(
            f"{engine} is compared with LiteRT's reference kernels, on this machine. Its scores are at most "
            f"{worst:.1e} from those recorded at export, which faster kernels computed."
        )
    if outcome.skipped:
        click.echo(f"Skipped, no installed engine runs them: {', '.join(outcome.skipped)}")
    if outcome.passed:
        click.echo(f"Passed: {len(outcome.replays)} replays match the export.")


def _recorded(outcome: SelfTest) -> dict[str, float]:
    """The largest distance from the recorded scores, for engines that are compared with another one."""
    worst: dict[str, float] = {}
    for replay in outcome.replays:
        if replay.recorded_dp is not None:
            worst[replay.engine] = max(worst.get(replay.engine, 0.0), replay.recorded_dp)
    return worst


def _finite(value: float | None) -> float | None:
    # JSON has no NaN.
    return value if value is not None and math.isfinite(value) else None


def _replay_row(replay: Replay) -> list[Cell]:
    result: Cell = ("ok", "green") if replay.failed is None else (f"{replay.failed} differs", "bold red")
    dp = "-" if replay.max_abs_dp is None else f"{replay.max_abs_dp:.1e}"
    return [replay.artifact, replay.engine, printable(replay.file), result, dp, f"{replay.tolerance:.0e}"]


def print_info(manifest: Manifest, *, examples: int) -> None:
    """Prints a manifest.

    Args:
        manifest: The manifest.
        examples: How many golden examples the bundle holds.
    """
    for name, value in _facts(manifest, examples).items():
        click.echo(f"{name:<13}{printable(value)}")
    click.echo()
    metrics = [Column(name, right=True) for name in ("top-1", "change", "at worst")]
    columns: list[Column | str] = ["artifact", "file", Column("size", right=True), "verdict", *metrics]
    cascade = cascade_entry(manifest)
    entries = manifest.artifacts if cascade is None else (*manifest.artifacts, cascade)
    print_table(columns, [_artifact_row(artifact) for artifact in entries])
    if cascade is not None:
        first, second = (part.kind for part in cascade.parts)
        click.echo(
            f"{printable(cascade.kind)}: {printable(first)} answers unless its best score is less than "
            f"{cascade.margin:.4g} above its second best; then {printable(second)} does "
            f"({cascade.passed_on:.1%} of the images it was judged on)."
        )
    for line in rules_in_words(manifest):
        click.echo(printable(line))


def _facts(manifest: Manifest, examples: int) -> dict[str, str]:
    spec, origin = manifest.input, manifest.provenance
    colours = "RGB" if spec.channels == 3 else "grayscale"
    labels = ", ".join(manifest.labels[:5]) + (", ..." if len(manifest.labels) > 5 else "")
    return {
        "name": manifest.name,
        "input": f"{spec.width} x {spec.height} pixels (width x height), {colours}, {spec.fit}, {spec.resize} resize",
        "labels": f"{len(manifest.labels)}: {labels}",
        "golden": f"{examples} examples" if examples else "none",
        "model": origin.model,
        "created": f"{origin.created} by snapship {origin.snapship}",
        "calibration": f"{origin.calibration_images} images" if origin.calibration_images else "none",
        "versions": ", ".join(f"{name} {number}" for name, number in origin.versions.items()) or "unknown",
    }


def _artifact_row(artifact: Artifact) -> list[Cell]:
    verdict: Cell = (artifact.verdict, _VERDICTS[artifact.verdict])
    row: list[Cell] = [artifact.kind, printable(artifact.file), _size(artifact.bytes), verdict]
    if artifact.metrics is None:
        return [*row, "-", "-", "-"]
    # Changes of top-1 are percentage points, so that nobody reads them as relative.
    changes = [f"{100 * value:+.1f} pt" for value in (artifact.metrics.delta, artifact.metrics.bound)]
    return [*row, f"{artifact.metrics.top1:.1%}", *changes]


def _size(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e3:.1f} kB" if count >= 1000 else f"{count} B"
