"""``snapship selftest --phone-report``: the reports of many phones in one table."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import GateFailedError, UsageError
from edge_runtime.common.terminal import Cell, Column, print_table
from edge_runtime.common.text import printable, shortened
from edge_runtime.output.user_agent import described
from edge_runtime.phone_report import PhoneReport, check_report_of, read_phone_report

_Read = Sequence[tuple[Path, PhoneReport]]


def bundle_and_reports(paths: Sequence[str], reports: Sequence[str]) -> tuple[str | None, list[Path]]:
    """Sorts the arguments: a shell writes the second report of ``--phone-report *.json`` as an argument.

    Args:
        paths: The arguments of the command.
        reports: The values of the option.

    Returns:
        The bundle, if one was given, and all reports.

    Raises:
        UsageError: There is more than one bundle.
    """
    bundles = [path for path in paths if Path(path).is_dir() or zipfile.is_zipfile(path)]
    if len(bundles) > 1:
        raise UsageError(
            f"selftest takes one bundle. Received: {len(bundles)}, {shortened(', '.join(bundles), 200)}. Pass one."
        )
    return next(iter(bundles), None), [Path(path) for path in (*reports, *paths) if path not in bundles]


def show_phone_reports(bundle: str | None, files: Sequence[Path], *, as_json: bool) -> None:
    """Reads the reports and prints one line per phone.

    Args:
        bundle: The bundle that they must be about; None to compare them only with each other.
        files: The reports.
        as_json: Whether to print one JSON object.

    Raises:
        DataError: A report is damaged, or about another bundle.
        GateFailedError: A phone gives other answers.
    """
    read = [(file, read_phone_report(file)) for file in files]
    if bundle is not None:
        opened = Bundle.open(bundle)
        for file, report in read:
            check_report_of(opened, report, file)
    warnings = _warnings(read)
    if as_json:
        click.echo(json.dumps(reports_record(read, warnings), indent=2))
    else:
        _print(read)
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    different = [(file, report) for file, report in read if not report.passed]
    if different:
        file, report = different[0]
        first = report.first_difference
        assert first is not None
        raise GateFailedError(
            f"Every phone must give the same answers. Received: {len(different)} of {len(read)} differ, first "
            f"{file} at stage {first.failed} on {shortened(first.file)}. Use another browser there."
        )


def reports_record(read: _Read, warnings: Sequence[str]) -> dict[str, Any]:
    """The merged reports as plain data for JSON."""
    return {
        "passed": all(report.passed for _, report in read),
        "warnings": list(warnings),
        "reports": [_record(file, report) for file, report in read],
    }


def _record(file: Path, report: PhoneReport) -> dict[str, Any]:
    first = report.first_difference
    return {
        "report": str(file),
        "phone": described(report.device.user_agent),
        "created": report.created.isoformat(),
        "name": report.app.name,
        "artifact": report.app.artifact,
        "artifact_sha256": report.app.artifact_sha256,
        "app_version": report.app.version,
        "engine": f"{report.engine.name} {report.engine.version} {report.engine.build}",
        "decoder": report.decoder,
        "passed": report.passed,
        "examples": len(report.examples),
        "failed": first.failed if first else None,
        "image": first.file if first else None,
        "max_abs_dp": report.max_abs_dp,
    }


def _warnings(read: _Read) -> list[str]:
    """What makes reports hard to compare."""
    facts = {
        "model files": {report.app.artifact_sha256 for _, report in read},
        "sets of golden examples": {report.app.golden_sha256 for _, report in read},
        "versions of the app": {report.app.version for _, report in read},
    }
    found = [
        f"the reports are about {len(values)} {what}" for what, values in facts.items() if len(values) > 1
    ]
    repeated = [agent for agent, count in Counter(_phone(report) for _, report in read).items() if count > 1]
    if repeated:
        found.append(f"{len(repeated)} of the phones reported more than once, first {repeated[0][0]}")
    return found


def _phone(report: PhoneReport) -> tuple[str, str]:
    """A phone and the moment, which only a copy of the same report shares."""
    return described(report.device.user_agent), report.created.isoformat()


def _print(read: _Read) -> None:
    columns: list[Column | str] = [
        "report", "phone", "artifact", "decoder", "result", "image", Column("max |dp|", right=True)
    ]  # fmt: skip
    print_table(columns, [_row(file, report) for file, report in read])
    for file, report in read:
        first = report.first_difference
        if first is not None:
            click.echo(f"{printable(str(file))}: {shortened(first.file)}: {shortened(first.detail, 200)}")
    if all(report.passed for _, report in read):
        count = sum(len(report.examples) for _, report in read)
        phones = "1 phone gives" if len(read) == 1 else f"{len(read)} phones give"
        click.echo(f"Passed: {phones} the same answers, {count} replays match the export.")


def _row(file: Path, report: PhoneReport) -> list[Cell]:
    first = report.first_difference
    result: Cell = ("ok", "green") if first is None else (f"{first.failed} differs", "bold red")
    dp = "-" if report.max_abs_dp is None else f"{report.max_abs_dp:.1e}"
    names = [printable(str(file)), described(report.device.user_agent), shortened(report.app.artifact)]
    return [*names, report.decoder, result, shortened(first.file) if first else "-", dp]
