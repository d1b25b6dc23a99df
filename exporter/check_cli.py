"""The command ``check``: it parses, calls one function, and tells people and machines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from edge_runtime.atomic_file import check_file, write_whole
from edge_runtime.errors import GateFailedError, InconclusiveError, SnapshipError, UsageError
from edge_runtime.temporary import temporary_files_together
from edge_runtime.terminal import StepProgress
from exporter.baseline import Baseline, compare_with_baseline, read_baseline, write_baseline
from exporter.baseline_report import BaselineReport
from exporter.check_options import Asked, check_options
from exporter.checking import Checked, check_with
from exporter.outputs import junit_xml
from exporter.outputs.github import (
    OUTPUT_VARIABLE,
    SUMMARY_VARIABLE,
    append_for_runner,
    github_annotations,
    output_lines,
    step_summary,
    workflow_command,
)
from exporter.outputs.terminal import print_baseline
from exporter.printing import print_report


@click.command("check")
@check_options
@temporary_files_together()
def check(**given: Any) -> None:
    """Compares artifacts with the full model and fails when one is worse.

    Exit code 0: all pass. 1: one lost more top-1 than the margin, or is worse than the
    baseline. 2: bad usage or input. 3: inconclusive, such as too few images. 4: something is not
    installed. Judged by a paired one-sided 95 % bound on the difference.

    \b
    Example:
      snapship check flowers.bundle
      snapship check flowers.bundle --data photos/ --margin 0.01 --json result.json
      snapship check --reference full.keras --candidate small.tflite --data photos/
      snapship check --reference a.onnx --candidate b.tflite --data photos/ --input-range 0..1
      snapship check flowers.bundle --baseline baseline.json --accept
      snapship check flowers.bundle --baseline baseline.json --junit check.xml --github
    """
    try:
        _check(given)
    except (GateFailedError, InconclusiveError):
        # Annotated already, artifact by artifact.
        raise
    except SnapshipError as error:
        if given["github"]:
            click.echo(workflow_command("error", str(error), "could not run"), nl=False)
            append_for_runner(OUTPUT_VARIABLE, "verdict=error\n")
        raise


def _check(given: dict[str, Any]) -> None:
    asked = Asked.of(given)
    _check_outputs(asked)
    last = _last(asked)
    with StepProgress() as progress:
        found = check_with(
            asked.config, page=asked.report is not None, evidence=asked.evidence, progress=progress
        )
    since = None if last is None else _compare(asked, found, last)
    if asked.json_file != "-":
        print_report(found.report)
        if since is not None:
            print_baseline(since)
    # What is being accepted is shown above, and judged by the gate alone.
    judged = None if asked.accept else since
    _write(asked, found, judged)
    if asked.github:
        _tell_github(asked, found, judged)
    _settle(asked, found, judged)
    if asked.accept and asked.baseline is not None:
        write_baseline(asked.baseline, found.report, found.outcomes, last)
        click.echo(f"Accepted: {asked.baseline}", err=asked.json_file == "-")


def _check_outputs(asked: Asked) -> None:
    """Says before the slow part, and by its own option, what could not be written after it."""
    files = {
        "--report": asked.report,
        "--junit": asked.junit,
        "--json": None if asked.json_file == "-" else asked.json_file,
        "--baseline": asked.baseline if asked.accept else None,
    }
    taken: dict[str, str] = {}
    for option, path in files.items():
        if path is None:
            continue
        check_file(path, option)
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise UsageError(
                f"Each output must have a file of its own. Received: {other} and {option} {path}. "
                f"Pass another {option}."
            )
    if asked.github:
        for variable in (SUMMARY_VARIABLE, OUTPUT_VARIABLE):
            append_for_runner(variable, "")


def _last(asked: Asked) -> Baseline | None:
    """What was accepted; read before the slow part, which a missing file would waste."""
    if asked.baseline is None:
        return None
    try:
        return read_baseline(asked.baseline)
    except SnapshipError:
        if asked.accept:
            return None
        raise


def _compare(asked: Asked, found: Checked, last: Baseline) -> BaselineReport | None:
    """What changed since the baseline; None where a new one is being accepted instead."""
    try:
        return compare_with_baseline(
            last, found.report, found.outcomes, name=str(asked.baseline), growth=asked.growth
        )
    except SnapshipError:
        if asked.accept:
            return None
        raise


def _write(asked: Asked, found: Checked, since: BaselineReport | None) -> None:
    if asked.report is not None and found.page is not None:
        write_whole(Path(asked.report), found.page, "--report")
    if asked.junit is not None:
        text = junit_xml(
            found.report,
            name=Path(asked.config.subject).name,
            baseline=since,
            inconclusive=asked.config.inconclusive,
        )
        write_whole(Path(asked.junit), text, "--junit")
    if asked.json_file is not None:
        record = found.report.to_dict()
        if since is not None:
            record["baseline"] = since.to_dict()
        text = json.dumps(record, indent=2)
        if asked.json_file == "-":
            click.echo(text)
        else:
            write_whole(Path(asked.json_file), f"{text}\n", "--json")


def _tell_github(asked: Asked, found: Checked, since: BaselineReport | None) -> None:
    lines = github_annotations(
        found.report, file=asked.config.subject, baseline=since, inconclusive=asked.config.inconclusive
    )
    click.echo(lines, nl=False)
    name = Path(asked.config.subject).name
    append_for_runner(SUMMARY_VARIABLE, step_summary(found.report, name=name, baseline=since))
    append_for_runner(OUTPUT_VARIABLE, output_lines(found.report, baseline=since))


def _settle(asked: Asked, found: Checked, since: BaselineReport | None) -> None:
    """Raises for the worse of the two verdicts: a failure outranks what is undecided."""
    open_: InconclusiveError | None = None
    for result in (found.report, since):
        try:
            if result is not None:
                result.raise_for_verdict(asked.config.inconclusive)
        except InconclusiveError as error:
            open_ = open_ or error
    if open_ is not None:
        raise open_
