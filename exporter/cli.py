"""The command ``export``: it parses, calls one function, and prints."""

from __future__ import annotations

from collections.abc import Mapping

import click

from edge_runtime.bundle import Bundle
from edge_runtime.option_groups import GroupedCommand
from edge_runtime.spec import Fit, Resize
from edge_runtime.temporary import temporary_files_together
from edge_runtime.terminal import StepProgress
from exporter import exporting
from exporter.bundle_files import REPORT_FILE
from exporter.config import DEFAULT_AGREEMENT, Best, ExportConfig, Repair
from exporter.evidence.classes import MissingClasses
from exporter.input_range import RANGES, InputRange
from exporter.kinds import DEFAULT_KINDS, KINDS
from exporter.printing import print_artifacts, print_pareto, print_report
from exporter.search import why
from exporter.verdict import CheckReport, saved_report
from exporter.weak_reference import WeakReference


def _split(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@click.command(
    "export",
    cls=GroupedCommand,
    groups={
        "Artifacts": "--artifacts --best --repair --agreement",
        "Data": "--data --calibration-data --calibration",
        "Source model": "--labels --fit --resize --input-range",
        "Check": "--check --margin --missing-classes --weak-reference --quick",
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
    help=f"What to write: {', '.join(KINDS)}, or all. Other spellings, such as w8a8, are known too.",
)
@click.option("--data", metavar="DATA", help="Labelled images that judge; default: the run's own.")
@click.option(
    "--calibration-data",
    metavar="DATA",
    help="Images that calibrate int8; then all of --data judges. Default: the training images.",
)
@click.option(
    "--calibration", default=200, show_default=True, metavar="N", help="How many images calibrate int8."
)
@click.option(
    "--labels",
    metavar="FILE",
    help="Class names, one a line, for a .keras or .h5 file; "
    "default: those of --data, in the order that fits its images.",
)
@click.option(
    "--fit",
    type=click.Choice(["stretch", "crop"]),
    help="How images become the input's size, for a .keras or .h5 file.  [default: stretch]",
)
@click.option(
    "--resize",
    type=click.Choice(["antialiased", "plain"]),
    help="How pixels of another size are made, for a .keras or .h5 file: plain as tf.image.resize and Keras' "
    "own loaders do. The labelled images say which suits.  [default: antialiased]",
)
@click.option("--name", metavar="NAME", help="The bundle's name; default: the run's.")
@click.option(
    "--margin", default=0.02, show_default=True, metavar="DROP", help="Largest top-1 drop that passes."
)
@click.option(
    "--best",
    type=click.Choice(["size", "latency"]),
    help="Try all artifacts that run here (or --artifacts) and ship the smallest or fastest that passes, alone.",
)
@click.option(
    "--repair",
    type=click.Choice(["auto", "off", "full"]),
    default="auto",
    show_default=True,
    help="What int8 artifacts that fail or disagree on calibration images get; full fine-tunes for agreement too.",
)
@click.option(
    "--agreement",
    default=DEFAULT_AGREEMENT,
    show_default=True,
    metavar="SHARE",
    help="Repair an int8 artifact that gives the full model's answer less often.",
)
@click.option(
    "--missing-classes",
    type=click.Choice(["error", "allow"]),
    default="error",
    show_default=True,
    help="What a class without judging images means.",
)
@click.option(
    "--weak-reference",
    type=click.Choice(["error", "allow"]),
    default="error",
    show_default=True,
    help="What a full model that is no better than guessing on the judging images means.",
)
@click.option(
    "--input-range",
    type=click.Choice(RANGES),
    default="0..255",
    show_default=True,
    help="What the source takes for a pixel; the artifacts take raw pixels all the same.",
)
@click.option("--quick", is_flag=True, help="Leave out what takes seconds and does not move the verdict.")
@click.option(
    "--golden", default=5, show_default=True, metavar="N", help="How many golden examples to store."
)
@click.option("--check/--no-check", "check_", default=True, help="Compare each artifact with the full model.")
@click.option("--overwrite", is_flag=True, help="Replace a bundle that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@temporary_files_together()
def export(
    source: str,
    out: str,
    artifacts: tuple[str, ...],
    data: str | None,
    calibration_data: str | None,
    calibration: int,
    labels: str | None,
    fit: Fit | None,
    resize: Resize | None,
    name: str | None,
    margin: float,
    best: Best | None,
    repair: Repair,
    agreement: float,
    missing_classes: MissingClasses,
    weak_reference: WeakReference,
    input_range: InputRange,
    quick: bool,
    golden: int,
    check_: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Writes a bundle: RUN's model as TFLite and ONNX, checked against it.

    RUN is a run folder, a .keras or .h5 file, or a SavedModel. The exit code is 0 when the
    bundle is written, whatever the verdicts; `snapship check` is the command that fails a
    build. With --best it is 1 when nothing passes. An artifact that cannot be made is left
    out; if --artifacts names it, the bundle is written and the exit code is 2.

    \b
    Example:
      snapship export runs/flowers --out flowers.bundle
      snapship export runs/flowers --out flowers.bundle --artifacts all
      snapship export runs/flowers --out flowers.bundle --best size --margin 0.01
      snapship export model.keras --labels labels.txt --data photos/ --out model.bundle
      snapship export model.keras --data photos/ --input-range -1..1 --resize plain --out model.bundle
    """
    config = ExportConfig(
        source=source,
        out=out,
        artifacts=artifacts,
        data=data,
        calibration_data=calibration_data,
        calibration=calibration,
        labels=labels,
        fit=fit,
        resize=resize,
        name=name,
        margin=margin,
        best=best,
        repair=repair,
        agreement=agreement,
        missing_classes=missing_classes,
        weak_reference=weak_reference,
        input_range=input_range,
        evidence="quick" if quick else "full",
        golden=golden,
        check=check_,
        overwrite=overwrite,
    )
    with StepProgress() as progress:
        exported = exporting.export_bundle(config, progress)
    if as_json:
        click.echo(exported.bundle.read("manifest.json").decode())
        for kind, why in exported.unmade.items():
            click.echo(f"{kind}: not made. {why}", err=True)
    else:
        _print_bundle(exported.bundle, exported.unmade)
    exported.raise_for_unmade()


def _print_bundle(bundle: Bundle, unmade: Mapping[str, str]) -> None:
    report = saved_report(bundle)
    if report is None:
        print_artifacts(bundle.manifest, unmade)
        click.echo("Not checked: pass labelled images with --data, or use snapship check.")
    else:
        print_report(report)
        _print_search(report)
    click.echo(f"Bundle: {bundle.location}")
    if bundle.has(REPORT_FILE) and bundle.location.is_dir():
        click.echo(f"Report: {bundle.location / REPORT_FILE}")


def _print_search(report: CheckReport) -> None:
    """What else was tried, where the best was picked."""
    points = () if report.pareto is None else report.pareto.points
    if any(point.picked for point in points):
        print_pareto(points)
        click.echo(why(points))
