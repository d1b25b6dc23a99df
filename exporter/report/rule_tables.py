"""The tables of rules that ``export`` and ``check`` print."""

from __future__ import annotations

from collections.abc import Mapping

import click

from edge_runtime.common.terminal import Cell, Column, print_table
from exporter.common.wording import size_text
from exporter.evidence.rules_record import RulesReport, RulesTrial
from exporter.judge.verdict import CheckReport


def print_rules(report: CheckReport) -> None:
    """Prints the rules that were made, one line per artifact, and why others are missing.

    Args:
        report: The result of an export.
    """
    print_rules_of({kind: one.rules for kind, one in report.artifacts.items() if one.rules is not None})


def print_rules_of(reports: Mapping[str, RulesReport]) -> None:
    """The same of some artifacts.

    Args:
        reports: Their rules, by kind.
    """
    if not reports:
        return
    first = next(iter(reports.values()))
    note = ", which also chose the epoch" if first.chose_epoch else ""
    click.echo(f"Rules from {first.images:,} images{note}:")
    columns = [Column("artifact")]
    if first.abstain is not None:
        share = f"{100 * first.abstain.max_error:g} %"
        columns += [Column(name, right=True) for name in (f"answers at ≤ {share} error", "answered", "wrong")]
    if first.sets is not None:
        columns += [
            Column(f"labels for {100 * first.sets.coverage:g} %", right=True),
            Column("most", right=True),
        ]
    if first.known is not None:
        columns += [Column(name, right=True) for name in ("known from", "known", "file")]
    print_table(columns, [[kind, *_row(found)] for kind, found in reports.items()])
    for kind, found in reports.items():
        for reason in found.unmet():
            click.echo(f"{kind}: {reason}")
        if found.known is not None and found.known.rule is not None and found.known.reason:
            click.echo(f"{kind}: known from its scores, {found.known.reason}")


def _row(found: RulesReport) -> list[Cell]:
    row: list[Cell] = []
    one, sets = found.abstain, found.sets
    if one is not None:
        threshold: Cell = ("no rule", "yellow")
        if one.rule is not None:
            threshold = f"margin ≥ {one.rule.threshold:.4f}" if one.rule.threshold else "always"
        row += [threshold, f"{one.answered:,} of {one.certifying:,}", f"{one.errors:,}"]
    if sets is not None:
        row += (
            [("no rule", "yellow"), ""] if sets.rule is None else [f"{sets.mean_size:.2f}", f"{sets.largest}"]
        )
    known = found.known
    if known is not None:
        row += [("no rule", "yellow"), "", ""]
        if known.rule is not None:
            size = size_text(known.bytes) if known.bytes else ""
            row[-3:] = [
                f"{known.rule.score} ≥ {known.rule.threshold:.4g}",
                f"{known.known:,} of {found.images:,}",
                size,
            ]
    return row


def print_trials(report: CheckReport) -> None:
    """Prints how the rules of a checked bundle do on its images; this is no verdict.

    Args:
        report: The result of a check.
    """
    print_trials_of({kind: one.trial for kind, one in report.artifacts.items() if one.trial is not None})


def print_trials_of(trials: Mapping[str, RulesTrial]) -> None:
    """The same of some artifacts.

    Args:
        trials: How their rules do, by kind.
    """
    if not trials:
        return
    click.echo("Its rules on these images:")
    columns = ["known", "answered", "wrong of them", "true label among candidates", "candidates"]
    cells = {kind: _trial(found) for kind, found in trials.items()}
    shown = [place for place in range(len(columns)) if any(row[place] for row in cells.values())]
    print_table(
        [Column("artifact"), *(Column(columns[place], right=True) for place in shown)],
        [[kind, *(row[place] for place in shown)] for kind, row in cells.items()],
    )


def _trial(found: RulesTrial) -> list[str]:
    """One cell per column, empty where no rule says anything."""
    known = "" if found.known is None else _share(found.known, found.images)
    row = [known, "", "", "", ""]
    if found.answered is not None and found.errors is not None:
        row[1:3] = [_share(found.answered, found.images), _share(found.errors, found.answered)]
    if found.covered is not None and found.mean_size is not None:
        row[3:] = [_share(found.covered, found.images), f"{found.mean_size:.2f}"]
    return row


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / whole:.1f} %)" if whole else f"{part:,} of {whole:,}"
