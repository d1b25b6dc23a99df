"""The command ``check``: parses options, runs the check, and reports to people and build servers."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import click
import msgspec

from edge_runtime.common.atomic_file import check_file, write_whole
from edge_runtime.common.errors import GateFailedError, InconclusiveError, SnapshipError, UsageError
from edge_runtime.common.temporary import temporary_files_together
from edge_runtime.common.terminal import GroupedCommand, StepProgress
from exporter.check_options import CheckCommand, check_options
from exporter.checking import run_check
from exporter.judge.baseline import compare_with_baseline, read_baseline, write_baseline
from exporter.judge.baseline_report import BaselineReport
from exporter.report.any_report import AnyReport
from exporter.report.github import (
    OUTPUT_VARIABLE,
    SUMMARY_VARIABLE,
    append_for_runner,
    github_annotations,
    output_lines,
    step_summary,
    workflow_command,
)
from exporter.report.junit import junit_xml
from exporter.report.rule_tables import print_trials
from exporter.report.terminal_tables import print_baseline, print_report
from exporter.unlabelled.page import page_file
from exporter.unlabelled_check import check_unlabelled


@click.command(
    "check",
    cls=GroupedCommand,
    groups={
        "Models": "--reference --candidate --labels --fit --resize --input-range --reference-range --threads",
        "Data": "--data --split",
        "Photos without labels": "--ask --answers",
        "Thresholds": "--margin --agreement --worst-class --inconclusive --missing-classes --weak-reference",
        "Stop early": "--sequential --seed",
        "Where": "--workers --ray",
        "Baseline": "--baseline --accept --growth",
        "Reports": "--report --json --junit --github --quick",
    },
)
@check_options
@temporary_files_together()
def check(**given: Any) -> None:
    """Compares artifacts with the full model and fails if one is worse.

    Judged by a paired one-sided 95 % bound on the top-1 difference. Exit code 0: all pass. 1: an
    artifact lost more top-1 than the margin, or is worse than the baseline. 2: bad usage or input.
    3: inconclusive, for example too few images. 4: a dependency is missing.

    \b
    Example:
      snapship check flowers.bundle
      snapship check flowers.bundle --data photos/ --margin 0.01 --json result.json
      snapship check flowers.bundle --data unlabelled/ --ask ask/
      snapship check flowers.bundle --data unlabelled/ --answers answers.csv
      snapship check --reference full.keras --candidate small.tflite --data photos/
      snapship check --reference a.onnx --candidate b.tflite --data photos/ --input-range 0..1
      snapship check flowers.bundle --data photos/ --sequential
      snapship check flowers.bundle --data photos/ --ray HEAD:6379
      snapship check flowers.bundle --baseline baseline.json --accept
      snapship check flowers.bundle --baseline baseline.json --junit check.xml --github
    """
    try:
        _check(given)
    except (GateFailedError, InconclusiveError):
        # Already annotated, artifact by artifact.
        raise
    except SnapshipError as error:
        if given["github"]:
            click.echo(workflow_command("error", str(error), "could not run"), nl=False)
            append_for_runner(OUTPUT_VARIABLE, "verdict=error\n")
        raise


def _check(given: dict[str, Any]) -> None:
    command = CheckCommand.of(given)
    _check_outputs(command)
    if command.unlabelled:
        _check_unlabelled(command)
        return
    last, since = None, None
    # A baseline that cannot be used is no error if a new one is about to be accepted.
    lenient = suppress(SnapshipError) if command.accept else nullcontext()
    if command.baseline is not None:
        # Before the slow part, so that a missing file fails early.
        with lenient:
            last = read_baseline(command.baseline)
    with StepProgress() as progress:
        found = run_check(
            command.config,
            page=command.report is not None,
            diagnostics=command.diagnostics,
            baseline=command.baseline is not None,
            progress=progress,
        )
    if last is not None and found.outcomes is not None:
        with lenient:
            since = compare_with_baseline(
                last, found.report, found.outcomes, name=str(command.baseline), growth=command.growth
            )
    if command.json_file != "-":
        print_report(found.report)
        print_trials(found.report)
        if since is not None:
            print_baseline(since)
    # A result that is being accepted is shown above, and judged by the gate alone.
    judged = None if command.accept else since
    _tell(command, found.report, judged, found.page)
    if command.accept and command.baseline is not None and found.outcomes is not None:
        write_baseline(command.baseline, found.report, found.outcomes, last)
        click.echo(f"Accepted: {command.baseline}", err=command.json_file == "-")


def _check_unlabelled(command: CheckCommand) -> None:
    """Judges on photos without labels, and writes the page that asks for those that matter."""
    with StepProgress() as progress:
        found = check_unlabelled(command.config, answers=command.answers, ask=command.ask, progress=progress)
    if command.json_file != "-":
        print_report(found.report)
    if command.ask is not None:
        said = (
            "Nothing to ask: no answer can change a verdict"
            if found.page is None
            else f"Open {found.page} in a browser: {found.asked:,} photos, fewer if the verdict is settled before"
        )
        click.echo(said, err=command.json_file == "-")
    _tell(command, found.report)


def _check_outputs(command: CheckCommand) -> None:
    """Rejects output files that cannot be written before the slow part starts, naming their option."""
    files = {
        "--report": command.report,
        "--junit": command.junit,
        "--json": None if command.json_file == "-" else command.json_file,
        "--baseline": command.baseline if command.accept else None,
    }
    taken: dict[str, str] = {}
    if command.answers is not None:
        taken[os.path.realpath(command.answers)] = "--answers"
    if command.ask is not None:
        taken[os.path.realpath(page_file(command.ask))] = "--ask"
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
    if command.github:
        for variable in (SUMMARY_VARIABLE, OUTPUT_VARIABLE):
            append_for_runner(variable, "")


def _tell(
    command: CheckCommand, report: AnyReport, since: BaselineReport | None = None, page: str | None = None
) -> None:
    """Writes the files, tells GitHub, and raises for the verdict."""
    name, inconclusive = Path(command.config.subject).name, command.config.inconclusive
    if command.report is not None and page is not None:
        write_whole(Path(command.report), page, "--report")
    if command.junit is not None:
        text = junit_xml(report, name=name, baseline=since, inconclusive=inconclusive)
        write_whole(Path(command.junit), text, "--junit")
    if command.json_file is not None:
        record = report.to_dict()
        if since is not None:
            record["baseline"] = msgspec.to_builtins(since)
        text = json.dumps(record, indent=2)
        if command.json_file == "-":
            click.echo(text)
        else:
            write_whole(Path(command.json_file), f"{text}\n", "--json")
    if command.github:
        lines = github_annotations(
            report, file=command.config.subject, baseline=since, inconclusive=inconclusive
        )
        click.echo(lines, nl=False)
        append_for_runner(SUMMARY_VARIABLE, step_summary(report, name=name, baseline=since))
        append_for_runner(OUTPUT_VARIABLE, output_lines(report, baseline=since))
    _settle(report, since, inconclusive)


def _settle(report: AnyReport, since: BaselineReport | None, inconclusive: str) -> None:
    """Raises for the worse of the two verdicts: a failure outranks an inconclusive result."""
    open_: InconclusiveError | None = None
    for result in (report, since):
        try:
            if result is not None:
                result.raise_for_verdict(inconclusive)
        except InconclusiveError as error:
            open_ = open_ or error
    if open_ is not None:
        raise open_
