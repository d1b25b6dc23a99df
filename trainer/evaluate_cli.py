"""``snapship evaluate``: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_files_together
from edge_runtime.common.terminal import Column, print_table, printable
from trainer.analysis.report import (
    check_report_file,
    check_report_packages,
    read_images,
    write_evaluation_report,
)
from trainer.analysis.robustness import Robustness, measure_robustness
from trainer.evaluation.evaluation import Evaluation, measure, source_kind
from trainer.progress.console import ConsoleProgress


@click.command(context_settings={"show_default": True})
@click.argument("source", metavar="RUN_OR_BUNDLE")
@click.argument("data")
@click.option("--split", default="val", help="Images to use: val or all.")
@click.option(
    "--artifact", metavar="KIND",
    help="Model file of a bundle, for example tflite-int8. Default: chosen as on a device.",
)  # fmt: skip
@click.option("--report", metavar="FILE", help="Write the results as a self-contained HTML page.")
@click.option(
    "--explain", metavar="IMAGE", multiple=True,
    help="Explain the model's answer for this image in the report; repeatable, runs only.",
)  # fmt: skip
@click.option(
    "--robustness", is_flag=True,
    help="Also measure under blur, darker and brighter light, JPEG, rotation, noise and shift: 35 more passes.",
)  # fmt: skip
@click.option(
    "--robustness-images", type=click.IntRange(min=1), default=200,
    help="Maximum number of images for --robustness, drawn evenly from the classes.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to stdout and nothing else.")
@temporary_files_together()
def evaluate(
    source: str,
    data: str,
    split: str,
    artifact: str | None,
    report: str | None,
    explain: tuple[str, ...],
    robustness: bool,
    robustness_images: int,
    as_json: bool,
) -> None:
    """Evaluate a run folder or a bundle on labelled images.

    A run is evaluated with Keras, a bundle with the device runtime. Classes are matched by
    name. The page of --report shows where the model fails: metrics per class, calibration,
    the most confident mistakes and the closest calls; for a run also filters and Grad-CAM.

    \b
    Example:
      snapship evaluate runs/digits digits
      snapship evaluate photos.bundle photos/ --split all --json
      snapship evaluate runs/photos photos/ --report seen.html --robustness --explain cat.jpg
    """
    page = None if report is None else Path(report)
    if page is not None:
        check_report_file(page)
        check_report_packages()
    elif explain:
        raise UsageError(
            f"--explain requires --report. Received: --explain {printable(explain[0])} without it. "
            "Add --report FILE.html."
        )
    chosen = read_images(source, explain) if explain and source_kind(source) else ()
    with ConsoleProgress() as progress:
        found = measure(source, data, split, artifact=artifact, progress=progress)  # type: ignore[arg-type]
        changed = None
        if robustness:
            changed = measure_robustness(found.scored, images=robustness_images, progress=progress)
        if page is not None:
            write_evaluation_report(page, found, changed, chosen, progress)
    if as_json:
        click.echo(json.dumps(_document(found.evaluation, changed, page), indent=2))
        return
    _print_evaluation(found.evaluation)
    if changed is not None:
        _print_robustness(changed)
    if page is not None:
        click.echo(f"report  {page.absolute()}")


def _document(result: Evaluation, changed: Robustness | None, page: Path | None) -> dict[str, Any]:
    document = result.to_dict()
    if changed is not None:
        document["robustness"] = changed.to_dict()
    if page is not None:
        document["report"] = str(page.absolute())
    return document


def _print_evaluation(result: Evaluation) -> None:
    click.echo(
        f"top-1 {result.top1:.1%}   top-5 {result.top5:.1%}   macro F1 {result.macro.f1:.1%}   "
        f"loss {result.loss:.3f}   calibration error {result.ece:.1%}   "
        f"{result.n} images, {result.seconds:.1f} s"
    )
    if result.skipped:
        click.echo(f"{len(result.skipped)} files skipped, the first: {printable(result.skipped[0])}")
    columns = [
        Column("class"), Column("images", True), Column("recall", True), Column("precision", True),
        Column("F1", True),
    ]  # fmt: skip
    rows = [
        [printable(entry.label), str(entry.images), _share(entry.recall), _share(entry.precision),
         _share(entry.f1)]
        for entry in result.per_class if entry.images
    ]  # fmt: skip
    if len(rows) > 1:
        average = result.macro
        rows.append(["macro average", str(result.n), _share(average.recall), _share(average.precision),
                     _share(average.f1)])  # fmt: skip
    print_table(columns, rows)


def _print_robustness(changed: Robustness) -> None:
    click.echo(f"top-1 by severity, {changed.images} images:")
    columns = [Column("change"), *(Column(str(severity), True) for severity in (0, *changed.severities))]
    rows = [
        [curve.family, _share(changed.clean), *(_share(value) for value in curve.top1)]
        for curve in changed.curves
    ]
    print_table(columns, rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
