"""The command ``export``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import click

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.temporary import temporary_files_together
from edge_runtime.common.terminal import GroupedCommand, StepProgress
from exporter import exporting
from exporter.bundle.bundle_files import REPORT_FILE
from exporter.config.export_config import DEFAULT_AGREEMENT, Evidence, ExportConfig, why
from exporter.config.share import parsed_share
from exporter.formats.kinds import DEFAULT_KINDS, KINDS
from exporter.judge.saved_report import saved_report
from exporter.judge.verdict import CheckReport
from exporter.report.rule_tables import print_rules
from exporter.report.terminal_tables import print_artifacts, print_pareto, print_report
from exporter.source.input_range import RANGES


def _split(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@click.command(
    "export",
    cls=GroupedCommand,
    groups={
        "Artifacts": "--artifacts --best --cascade --repair --agreement",
        "Data": "--data --calibration-data --calibration",
        "Source model": "--labels --fit --resize --input-range",
        "When the model is not sure": "--max-error --sets --unknown",
        "Check": "--check --margin --missing-classes --weak-reference --evidence --quick",
        "Output": "--out --name --golden --overwrite --json",
    },
)
@click.argument("source", metavar="RUN")
@click.option("--out", required=True, metavar="BUNDLE", help="Where to write: a folder, or a .zip file.")
@click.option(
    "--artifacts",
    default=",".join(DEFAULT_KINDS),
    show_default=True,
    callback=_split,
    metavar="KIND,...",
    help=f"Artifacts to write: {', '.join(KINDS)}, or all. Aliases such as w8a8 work too.",
)
@click.option("--data", metavar="DATA", help="Labelled images to check on; default: the run's own.")
@click.option(
    "--calibration-data",
    metavar="DATA",
    help="Images to calibrate int8 on; all of --data is then used for checking. Default: the training images.",
)
@click.option(
    "--calibration",
    default=200,
    show_default=True,
    metavar="N",
    help="Number of calibration images for int8.",
)
@click.option(
    "--labels",
    metavar="FILE",
    help="Class names, one per line, for a .keras or .h5 file; "
    "default: those of --data, in the order that fits its images.",
)
@click.option(
    "--fit",
    type=click.Choice(["stretch", "crop"]),
    help="How images are fitted to the input size, for a .keras or .h5 file.  [default: stretch]",
)
@click.option(
    "--resize",
    type=click.Choice(["antialiased", "plain"]),
    help="Resize filter, for a .keras or .h5 file: plain is that of tf.image.resize and of Keras' own loaders. "
    "The export reports which one fits the labelled images.  [default: antialiased]",
)
@click.option("--name", metavar="NAME", help="The bundle's name; default: the run's.")
@click.option(
    "--margin", default=0.02, show_default=True, metavar="DROP", help="Largest top-1 drop that passes."
)
@click.option(
    "--best",
    type=click.Choice(["size", "latency"]),
    help="Try all artifacts that run here (or --artifacts), and ship only the smallest or fastest that passes.",
)
@click.option(
    "--cascade",
    is_flag=True,
    help="Also judge tflite-int8 with tflite-fp32 behind it for images on which it is not sure; left out, with the "
    "reason, if it is not faster than tflite-fp32.",
)
@click.option(
    "--repair",
    type=click.Choice(["auto", "off", "full"]),
    default="auto",
    show_default=True,
    help="Repair of int8 artifacts that fail or disagree on calibration images; full also fine-tunes for agreement.",
)
@click.option(
    "--agreement",
    default=DEFAULT_AGREEMENT,
    show_default=True,
    metavar="SHARE",
    help="Repair an int8 artifact whose answers match the full model's less often than this.",
)
@click.option(
    "--max-error",
    callback=parsed_share,
    metavar="SHARE",
    help="Make a rule to answer only if sure enough: of the answered images at most this share is wrong, e.g. 5%.",
)
@click.option(
    "--sets",
    callback=parsed_share,
    metavar="SHARE",
    help="Make a rule that names the classes that may be true: the true one is among them for this share of images, "
    "e.g. 90%.",
)
@click.option(
    "--unknown",
    type=click.Choice(["scores", "features", "auto"]),
    help="Make a rule that refuses things unlike the model's classes, from its scores or its features; "
    "auto is features where the artifact can have them.",
)
@click.option(
    "--missing-classes",
    type=click.Choice(["error", "allow"]),
    default="error",
    show_default=True,
    help="What to do if a class has no images to check on.",
)
@click.option(
    "--weak-reference",
    type=click.Choice(["error", "allow"]),
    default="error",
    show_default=True,
    help="What to do if the full model is no better than guessing on the images.",
)
@click.option(
    "--input-range",
    type=click.Choice(RANGES),
    default="0..255",
    show_default=True,
    help="Pixel range the source expects; the artifacts always take raw pixels.",
)
@click.option(
    "--evidence",
    type=click.Choice(get_args(Evidence)),
    default="standard",
    show_default=True,
    help="What the report explains beside the verdict: quick what takes no time; standard also where answers change; "
    "full also other engines and thread counts, the preprocessing of other libraries, clipped activations and fewer "
    "calibration images.",
)
@click.option("--quick", is_flag=True, help="The same as --evidence quick.")
@click.option(
    "--golden", default=5, show_default=True, metavar="N", help="Number of golden examples to store."
)
@click.option("--check/--no-check", default=True, help="Compare each artifact with the full model.")
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@temporary_files_together()
def export(quick: bool, as_json: bool, **given: Any) -> None:
    """Writes a bundle: RUN's model as TFLite and ONNX, checked against the original.

    RUN is a run folder, a .keras or .h5 file, or a SavedModel. The exit code is 0 if the
    bundle is written, whatever the verdicts: to fail a build, use `snapship check`. With --best
    it is 1 if nothing passes. An artifact that cannot be made is left out; if --artifacts
    names it, or if a rule of --max-error, --sets or --unknown cannot be made, the bundle is
    written without it and the exit code is 2.

    \b
    Example:
      snapship export runs/flowers --out flowers.bundle
      snapship export runs/flowers --out flowers.bundle --artifacts all
      snapship export runs/flowers --out flowers.bundle --best size --margin 0.01
      snapship export runs/flowers --out flowers.bundle --max-error 5% --sets 90% --unknown auto
      snapship export runs/flowers --out flowers.bundle --cascade
      snapship export model.keras --labels labels.txt --data photos/ --out model.bundle
      snapship export model.keras --data photos/ --input-range -1..1 --resize plain --out model.bundle
    """
    if quick:
        given["evidence"] = "quick"
    config = ExportConfig(**given)
    with StepProgress() as progress:
        exported = exporting.export_bundle(config, progress)
    if as_json:
        click.echo(exported.bundle.read("manifest.json").decode())
        for kind, why in exported.unmade.items():
            click.echo(f"{kind}: not made. {why}", err=True)
        for kind, reasons in exported.unmet_rules.items():
            for reason in reasons:
                click.echo(f"{kind}: {reason}", err=True)
    else:
        _print_bundle(exported.bundle, exported.unmade)
    exported.raise_for_unmade()
    exported.raise_for_unmet_rules()


def _print_bundle(bundle: Bundle, unmade: Mapping[str, str]) -> None:
    report = saved_report(bundle)
    if report is None:
        print_artifacts(bundle.manifest, unmade)
        click.echo("Not checked: pass labelled images with --data, or use snapship check.")
    else:
        print_report(report)
        print_rules(report)
        _print_search(report)
    click.echo(f"Bundle: {bundle.location}")
    if bundle.has(REPORT_FILE) and bundle.location.is_dir():
        click.echo(f"Report: {bundle.location / REPORT_FILE}")


def _print_search(report: CheckReport) -> None:
    """Prints the other candidates, if the best one was picked."""
    points = () if report.pareto is None else report.pareto.points
    if any(point.picked for point in points):
        print_pareto(points)
        click.echo(why(points))
