"""Changes since the baseline, printed for people."""

from __future__ import annotations

import click

from edge_runtime.terminal import Cell, Column, print_table
from exporter.baseline_report import BaselineReport
from exporter.printing import VERDICT_STYLES


def print_baseline(since: BaselineReport) -> None:
    """Prints one line per artifact, and the reason if it did not pass.

    Args:
        since: The comparison with the baseline.
    """
    click.echo("Since the baseline:")
    columns = [
        Column("artifact"),
        Column("top-1", right=True),
        Column("won / lost", right=True),
        Column("agreement", right=True),
        Column("size", right=True),
        Column("verdict"),
    ]
    rows: list[list[Cell]] = [["full model", f"{100 * since.reference_change:+.2f}", "", "", "", ""]]
    for kind, one in since.artifacts.items():
        rows.append(
            [
                kind,
                f"{100 * one.delta:+.2f}",
                f"{one.won:,} / {one.lost:,}",
                f"{100 * one.agreement_change:+.2f}",
                f"{100 * one.growth:+.1f} %",
                (one.verdict, VERDICT_STYLES[one.verdict]),
            ]
        )
    rows += [[kind, "", "", "", "", ("gone", VERDICT_STYLES["fail"])] for kind in since.gone]
    rows += [[kind, "", "", "", "", "new"] for kind in since.added]
    rows += [[kind, "", "", "", "", "not checked"] for kind in since.skipped]
    print_table(columns, rows)
    for kind, one in since.artifacts.items():
        if one.verdict != "pass":
            click.echo(f"{kind}: {one.reason}")
