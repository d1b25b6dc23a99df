"""The commands ``export`` and ``check``: they parse, call one function, and print."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_runtime.bundle import Bundle
from edge_runtime.errors import UsageError
from exporter import exporting
from exporter.bundle_files import REPORT_FILE
from exporter.checking import Checked, check_bundle, check_files
from exporter.config import ExportConfig
from exporter.console import StepProgress
from exporter.images import Chosen
from exporter.kinds import DEFAULT_KINDS, KINDS
from exporter.printing import print_artifacts, print_report
from exporter.replacing import write_whole
from exporter.source import read_labels
from exporter.verdict import saved_report


def _split(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@click.command("export")
@click.argument("source", metavar="RUN")
@click.option("--out", required=True, metavar="BUNDLE", help="Where to write: a folder, or a .zip file.")
@click.option(
    "--artifacts",
    default=",".join(DEFAULT_KINDS),
    show_default=True,
    callback=_split,
    metavar="KIND,...",
    help=f"What to write. Kinds: {', '.join(KINDS)}.",
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
@click.option("--labels", metavar="FILE", help="Class names, one a line, for a .keras or .h5 file.")
@click.option(
    "--fit",
    type=click.Choice(["stretch", "crop"]),
    default="stretch",
    show_default=True,
    help="How images become the input's size, for a .keras or .h5 file.",
)
@click.option("--name", metavar="NAME", help="The bundle's name; default: the run's.")
@click.option(
    "--margin", default=0.02, show_default=True, metavar="DROP", help="Largest top-1 drop that passes."
)
@click.option(
    "--golden", default=5, show_default=True, metavar="N", help="How many golden examples to store."
)
@click.option("--check/--no-check", "check_", default=True, help="Compare each artifact with the full model.")
@click.option("--overwrite", is_flag=True, help="Replace a bundle that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def export(
    source: str,
    out: str,
    artifacts: tuple[str, ...],
    data: str | None,
    calibration_data: str | None,
    calibration: int,
    labels: str | None,
    fit: str,
    name: str | None,
    margin: float,
    golden: int,
    check_: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Writes a bundle: RUN's model as TFLite and ONNX, checked against it.

    RUN is a run folder, or a .keras or .h5 file that takes raw pixels 0..255. The exit
    code is 0 when the bundle is written, whatever the verdicts; `snapship check` is the
    command that fails a build.

    \b
    Example:
      snapship export runs/flowers --out flowers.bundle
      snapship export model.keras --labels labels.txt --data photos/ --out model.bundle
    """
    config = ExportConfig(
        source=source,
        out=out,
        artifacts=artifacts,
        data=data,
        calibration_data=calibration_data,
        calibration=calibration,
        labels=labels,
        fit="crop" if fit == "crop" else "stretch",
        name=name,
        margin=margin,
        golden=golden,
        check=check_,
        overwrite=overwrite,
    )
    with StepProgress() as progress:
        bundle = exporting.export(config, progress)
    if as_json:
        click.echo(bundle.read("manifest.json").decode())
        return
    _print_bundle(bundle)


def _print_bundle(bundle: Bundle) -> None:
    report = saved_report(bundle)
    if report is None:
        print_artifacts(bundle.manifest)
        click.echo("Not checked: pass labelled images with --data, or use snapship check.")
    else:
        print_report(report)
    click.echo(f"Bundle: {bundle.location}")
    if bundle.has(REPORT_FILE) and bundle.location.is_dir():
        click.echo(f"Report: {bundle.location / REPORT_FILE}")


@click.command("check")
@click.argument("bundle", metavar="[BUNDLE]", required=False)
@click.option("--data", metavar="DATA", help="Labelled images that judge; default: the run's own.")
@click.option(
    "--split",
    type=click.Choice(["val", "train", "all"]),
    default="val",
    show_default=True,
    help="Which of the images judge.",
)
@click.option("--reference", metavar="FILE", help="The full model; default: the one that was exported.")
@click.option("--candidate", metavar="FILE", help="A .tflite or .onnx file to judge instead of a bundle.")
@click.option("--labels", metavar="FILE", help="Class names, one a line, for --candidate.")
@click.option(
    "--fit",
    type=click.Choice(["stretch", "crop"]),
    default="stretch",
    show_default=True,
    help="How images become the input's size, for --candidate and a .keras or .h5 file.",
)
@click.option(
    "--margin", default=0.02, show_default=True, metavar="DROP", help="Largest top-1 drop that passes."
)
@click.option(
    "--inconclusive",
    type=click.Choice(["error", "pass", "fail"]),
    default="error",
    show_default=True,
    help="What too few images mean: exit 3, 0 or 1.",
)
@click.option("--threads", default=1, show_default=True, metavar="N", help="Threads of one inference.")
@click.option("--report", metavar="FILE", help="Write the report as one HTML page.")
@click.option(
    "--json", "json_file", is_flag=False, flag_value="-", metavar="[FILE]",
    help="Write the result as JSON to FILE; without FILE, or with -, to stdout.",
)  # fmt: skip
def check(
    bundle: str | None,
    data: str | None,
    split: str,
    reference: str | None,
    candidate: str | None,
    labels: str | None,
    fit: str,
    margin: float,
    inconclusive: str,
    threads: int,
    report: str | None,
    json_file: str | None,
) -> None:
    """Compares artifacts with the full model and fails when one is worse.

    Exit code 0: all pass. 1: one lost more top-1 than the margin. 3: too few images to
    tell. Judged by a paired one-sided 95 % bound on the difference.

    \b
    Example:
      snapship check flowers.bundle
      snapship check flowers.bundle --data photos/ --margin 0.01 --json result.json
      snapship check --reference full.keras --candidate small.tflite --data photos/
    """
    chosen: Chosen = "all" if split == "all" else "train" if split == "train" else "val"
    with StepProgress() as progress:
        if candidate is not None:
            if bundle is not None or reference is None or data is None:
                raise UsageError(
                    "A candidate is judged against a reference on data. Received: --candidate "
                    f"{candidate}{' and a bundle' if bundle else ''}. "
                    "Pass --reference, --candidate and --data, and no bundle."
                )
            names = None if labels is None else read_labels(labels)
            found = check_files(
                reference, candidate, data,
                labels=names, fit="crop" if fit == "crop" else "stretch",
                margin=margin, split=chosen, threads=threads, progress=progress,
            )  # fmt: skip
        elif bundle is None:
            raise UsageError(
                "A check needs something to check. Received: no bundle. "
                "Pass a bundle, or --reference, --candidate and --data."
            )
        else:
            found = check_bundle(
                bundle, data=data, reference=reference,
                margin=margin, split=chosen, threads=threads, progress=progress,
            )  # fmt: skip
    _write(found, report, json_file)
    if json_file != "-":
        print_report(found.report)
    found.report.raise_for_verdict(inconclusive)


def _write(found: Checked, report: str | None, json_file: str | None) -> None:
    if report is not None:
        write_whole(Path(report), found.page.encode())
    if json_file is not None:
        text = json.dumps(found.report.to_dict(), indent=2)
        if json_file == "-":
            click.echo(text)
        else:
            write_whole(Path(json_file), f"{text}\n".encode())
