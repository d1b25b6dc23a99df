"""The result of a check for GitHub Actions: annotations, the step summary, and outputs for later steps.

Workflow commands and their escaping are those of the runner's ``actions/toolkit``
(``packages/core/src/command.ts``): ``%``, CR and LF in a message, ``:`` and ``,`` as well in
a property.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from edge_runtime.common.errors import UsageError
from edge_runtime.common.text import as_utf8
from exporter.common.wording import drop_text, size_text
from exporter.judge.baseline_report import BaselineReport
from exporter.judge.verdict import CheckReport
from exporter.report.any_report import AnyReport
from exporter.statistics.gate import GateVerdict, overall
from exporter.unlabelled.record import UnlabelledReport

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
"""Names the file that takes the step's Markdown."""

OUTPUT_VARIABLE = "GITHUB_OUTPUT"
"""Names the file that takes the step's outputs."""

_MARKS: dict[GateVerdict, str] = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "⚠️ inconclusive"}
_SUMMARY_LIMIT = 1_000_000
"""Bytes; GitHub refuses a step summary above 1 MiB."""


def github_annotations(
    report: AnyReport,
    *,
    file: str = "",
    baseline: BaselineReport | None = None,
    inconclusive: str = "error",
) -> str:
    """One line per artifact that did not pass: ``::error`` or ``::warning``.

    Args:
        report: The result of the check.
        file: What was checked, shown as the annotation's file; empty for none.
        baseline: The comparison with the baseline.
        inconclusive: ``fail`` turns an inconclusive artifact into an error.

    Returns:
        Lines, each with a line break at its end; empty if everything passed.
    """
    found = [(kind, one.verdict, one.reason) for kind, one in report.artifacts.items()]
    if baseline is not None:
        found += [
            (f"{kind} since the baseline", one.verdict, one.reason)
            for kind, one in baseline.artifacts.items()
        ]
        found += [
            (f"{kind} since the baseline", "fail", "it is no longer exported") for kind in baseline.gone
        ]
    lines = []
    for name, verdict, reason in found:
        if verdict != "pass":
            serious = verdict == "fail" or inconclusive == "fail"
            lines.append(workflow_command("error" if serious else "warning", f"{name}: {reason}", name, file))
    lines += [
        workflow_command("notice", f"{kind}: not checked, {why}", kind, file)
        for kind, why in report.skipped.items()
    ]
    lines += [
        workflow_command("warning", f"{kind}: not made. {why}", kind, file)
        for kind, why in report.unmade.items()
    ]
    return "".join(lines)


def workflow_command(
    level: Literal["error", "warning", "notice"], message: str, title: str, file: str = ""
) -> str:
    """One annotation.

    Args:
        level: Severity.
        message: The text.
        title: The subject.
        file: The file it refers to; empty for none.
    """
    properties = {"file": file, "title": f"snapship check: {title}"}
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{level} {given}::{_message(message)}\n"


def step_summary(report: AnyReport, *, name: str = "", baseline: BaselineReport | None = None) -> str:
    """The result as GitHub Markdown.

    Args:
        report: The result of the check.
        name: What was checked, for the heading.
        baseline: The comparison with the baseline.
    """
    of = f" of {_cell(name)}" if name else ""
    margin = f"{100 * report.margin:g} points"
    rows = [
        f"### snapship check{of}: {_MARKS[combined_verdict(report, baseline)]}",
        "",
        f"{report.n:,} images, margin {margin} of top-1, {_way(report)}.",
        "",
        *(_labelled_rows(report) if isinstance(report, CheckReport) else _unlabelled_rows(report)),
    ]
    rows += [f"| {_cell(kind)} | | | | | not checked: {_cell(why)} |" for kind, why in report.skipped.items()]
    rows += [f"| {_cell(kind)} | | | | | not made: {_cell(why)} |" for kind, why in report.unmade.items()]
    if baseline is not None:
        rows += ["", *_baseline_rows(baseline)]
    reasons = [(kind, one.reason) for kind, one in report.artifacts.items() if one.verdict != "pass"]
    if reasons:
        rows += ["", *(f"- **{_cell(kind)}**: {_cell(why)}" for kind, why in reasons)]
    return "\n".join(rows) + "\n"


def _labelled_rows(report: CheckReport) -> list[str]:
    rows = [
        "| artifact | size | top-1 | drop (95 % bound) | agreement | verdict |",
        "|---|--:|--:|--:|--:|---|",
        f"| full model | | {100 * report.reference.top1:.2f} % | | | |",
    ]
    for kind, one in report.artifacts.items():
        rows.append(
            f"| {_cell(kind)} | {size_text(one.bytes)} | {100 * one.top1:.2f} % "
            f"| {drop_text(one.delta)} (≤ {drop_text(one.bound)}) | {100 * one.agreement:.2f} % "
            f"| {_MARKS[one.verdict]}{f' after {one.stop.images:,} images' if one.stop else ''} |"
        )
    return rows


def _unlabelled_rows(report: UnlabelledReport) -> list[str]:
    rows = [
        "| artifact | size | differing / labelled | lost / won | agreement | verdict |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for kind, one in report.artifacts.items():
        rows.append(
            f"| {_cell(kind)} | {size_text(one.bytes)} | {one.differing:,} / {one.answered:,} "
            f"| {one.lost:,} / {one.won:,} | {100 * one.agreement:.2f} % | {_MARKS[one.verdict]} |"
        )
    return rows


def _way(report: AnyReport) -> str:
    """What the bounds are, and how the images were taken."""
    if not isinstance(report, CheckReport) or report.sequential is None:
        return "paired one-sided 95 % bound"
    return f"paired one-sided 95 % bounds; {report.sequential.text}"


def _baseline_rows(baseline: BaselineReport) -> list[str]:
    rows = [
        f"Since the baseline: {_MARKS[baseline.verdict]}",
        "",
        "| artifact | top-1 | images won / lost | agreement | size | verdict |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for kind, one in baseline.artifacts.items():
        rows.append(
            f"| {_cell(kind)} | {100 * one.delta:+.2f} | {one.won:,} / {one.lost:,} "
            f"| {100 * one.agreement_change:+.2f} | {100 * one.growth:+.1f} % | {_MARKS[one.verdict]} |"
        )
    rows += [f"| {_cell(kind)} | | | | | ❌ no longer exported |" for kind in baseline.gone]
    rows += [f"| {_cell(kind)} | | | | | new |" for kind in baseline.added]
    rows += [f"| {_cell(kind)} | | | | | not checked |" for kind in baseline.skipped]
    reasons = [(kind, one.reason) for kind, one in baseline.artifacts.items() if one.verdict != "pass"]
    if reasons:
        rows += ["", *(f"- **{_cell(kind)}** since the baseline: {_cell(why)}" for kind, why in reasons)]
    return rows


def output_lines(report: AnyReport, *, baseline: BaselineReport | None = None) -> str:
    """Outputs for later steps, which read them as ``steps.ID.outputs.NAME``.

    Args:
        report: The result of the check.
        baseline: The comparison with the baseline.

    Returns:
        ``verdict``, ``drop`` (the largest top-1 drop, in fractions of 1; empty without labels), ``agreement``
        (the smallest) and ``images``, one per line.
    """
    drop = ""
    if isinstance(report, CheckReport):
        drop = f"{max(-one.delta for one in report.artifacts.values()) + 0.0:.6f}"
    agreement = min(one.agreement for one in report.artifacts.values())
    return (
        f"verdict={combined_verdict(report, baseline)}\n"
        f"drop={drop}\n"
        f"agreement={agreement:.6f}\n"
        f"images={report.n}\n"
    )


def combined_verdict(report: AnyReport, baseline: BaselineReport | None) -> GateVerdict:
    """The worse of the verdicts of gate and baseline.

    Args:
        report: The result of the check.
        baseline: The comparison with the baseline.
    """
    return overall([report.verdict] if baseline is None else [report.verdict, baseline.verdict])


def append_for_runner(variable: str, text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Appends to a file of the runner, if there is one.

    Args:
        variable: The environment variable that holds its path.
        text: The text to append.
        environment: The environment.

    Raises:
        UsageError: It cannot be written.
    """
    path = environment.get(variable, "")
    if not path:
        return
    text = as_utf8(text)
    if variable == SUMMARY_VARIABLE and len(text.encode()) > _SUMMARY_LIMIT:
        text = text.encode()[:_SUMMARY_LIMIT].decode("utf-8", "ignore").rpartition("\n")[0] + "\n"
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{variable} must name a writable file. Received: {path} ({error.strerror}). Leave --github out."
        ) from error


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Text escaped for a table cell, without Markdown or HTML."""
    line = " ".join(text.split())
    for sign in "\\`*_[]<>|#~":
        line = line.replace(sign, f"\\{sign}")
    return line
