"""The tables that ``export``, ``check`` and ``demo`` print."""

from __future__ import annotations

import click

from edge_runtime.manifest import Manifest
from edge_runtime.terminal import Cell, Column, print_table
from exporter.amounts import latency_text, size_text
from exporter.verdict import CheckReport

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def print_report(report: CheckReport) -> None:
    """Prints one line for each artifact, and why where it did not pass.

    Args:
        report: What a check found.
    """
    columns = [
        Column("artifact"),
        Column("size", right=True),
        Column("top-1", right=True),
        Column("drop (95 % bound)", right=True),
        Column("agreement", right=True),
        Column("latency", right=True),
        Column("verdict"),
    ]
    full: list[Cell] = ["full model", "", f"{100 * report.reference.top1:.2f} %", "", "", "", ""]
    rows: list[list[Cell]] = [full]
    for name, found in report.artifacts.items():
        rows.append(
            [
                name,
                size_text(found.bytes),
                f"{100 * found.top1:.2f} %",
                f"{_drop(found.delta)} (≤ {_drop(found.bound)})",
                f"{100 * found.agreement:.2f} %",
                latency_text(found.latency_ms),
                (found.verdict, _STYLES[found.verdict]),
            ]
        )
    print_table(columns, rows)
    for name, found in report.artifacts.items():
        if found.verdict != "pass":
            click.echo(f"{name}: {found.reason}")
    for name, why in report.skipped.items():
        click.echo(f"{name}: not checked, {why}")
    click.echo(
        f"Verdict: {report.verdict} on {report.n:,} images, margin {100 * report.margin:g} points of top-1"
    )


def print_artifacts(manifest: Manifest) -> None:
    """Prints the artifacts of a bundle that was not checked.

    Args:
        manifest: Its manifest.
    """
    print_table(
        [Column("artifact"), Column("file"), Column("size", right=True)],
        [[entry.kind, entry.file, size_text(entry.bytes)] for entry in manifest.artifacts],
    )


def _drop(change: float) -> str:
    """A change of top-1 as a drop in points; gains are negative drops, and no minus zero."""
    return f"{round(-100 * change, 2) + 0.0:.2f}"
