"""The tables that ``export``, ``check`` and ``demo`` print: results, artifacts, and changes since a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import click

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.common.terminal import Cell, Column, print_table
from exporter.common.wording import cascade_text, drop_text, latency_text, size_text
from exporter.evidence.record import ParetoPoint
from exporter.judge.baseline_report import BaselineReport
from exporter.judge.cpu_kernels import kernels_text
from exporter.judge.verdict import ArtifactReport, CheckReport
from exporter.quantize.calibration import CalibrationReport
from exporter.report.any_report import AnyReport
from exporter.unlabelled.record import UnlabelledReport

_MOST_NAMED = 5
MOST_CLIPPED = 0.001
"""Share of activations outside the ranges above which a user is warned.

With the true min/max of two hundred varied images, about one in ten thousand lies outside.
"""

MOST_SPREAD = 0.01
"""Difference in agreement between numbers of calibration images above which a user is warned."""

VERDICT_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def print_report(report: AnyReport) -> None:
    """Prints one line per artifact, and the reason if it did not pass.

    Args:
        report: The result of a check.
    """
    if isinstance(report, CheckReport):
        _print_labelled(report)
    else:
        _print_unlabelled(report)
    for name, why in report.skipped.items():
        click.echo(f"{name}: not checked, {why}")
    for name, why in report.unmade.items():
        click.echo(f"{name}: not made. {why}")
    if report.unreadable:
        click.echo(f"Left out, unreadable: {len(report.unreadable)} files, first {report.unreadable[0]}")
    if isinstance(report, CheckReport) and report.missing_classes:
        absent = ", ".join(report.missing_classes[:_MOST_NAMED])
        more = ", ..." if len(report.missing_classes) > _MOST_NAMED else ""
        click.echo(f"Not judged, no images: {len(report.missing_classes)} classes ({absent}{more})")
    if report.cpu is not None and any(one.kernels for one in report.artifacts.values()):
        click.echo(f"CPU: {report.cpu.text}")
    click.echo(
        f"Verdict: {report.verdict} on {report.n:,} images, margin {100 * report.margin:g} points of top-1"
    )
    if isinstance(report, CheckReport) and report.sequential is not None:
        click.echo(f"Sequential: {report.sequential.text}")
    for note in report.notes:
        click.echo(f"Note: {note}")


def _print_unlabelled(report: UnlabelledReport) -> None:
    rows: list[list[Cell]] = [
        [
            name,
            size_text(found.bytes),
            f"{found.differing:,}",
            f"{found.answered:,}",
            f"{found.lost:,} / {found.won:,}",
            f"{100 * found.agreement:.2f} %",
            latency_text(found.latency_ms),
            (found.verdict, VERDICT_STYLES[found.verdict]),
        ]
        for name, found in report.artifacts.items()
    ]
    rows += [[name, "", "", "", "", "", "", ("not made", VERDICT_STYLES["fail"])] for name in report.unmade]
    print_table(
        _columns("artifact", "size", "differing", "labelled", "lost / won", "agreement", "latency"), rows
    )
    for name, found in report.artifacts.items():
        if found.verdict != "pass" or found.unanswered:
            click.echo(f"{name}: {found.reason}")
    told = report.labels
    unsure = f", {told.cannot_tell:,} nobody can tell" if told.cannot_tell else ""
    click.echo(f"Labels: {told.answered:,} of the {told.differing:,} photos that differ{unsure}")


def _print_labelled(report: CheckReport) -> None:
    full: list[Cell] = ["full model", "", f"{100 * report.reference.top1:.2f} %", "", "", "", ""]
    rows: list[list[Cell]] = [full]
    columns = _columns("artifact", "size", "top-1", "drop (95 % bound)", "agreement", "latency")
    for name, found in report.artifacts.items():
        rows.append(
            [
                name,
                size_text(found.bytes),
                f"{100 * found.top1:.2f} %",
                f"{drop_text(found.delta)} (≤ {drop_text(found.bound)})",
                f"{100 * found.agreement:.2f} %",
                latency_text(found.latency_ms),
                (found.verdict, VERDICT_STYLES[found.verdict]),
            ]
        )
    rows += [[name, "", "", "", "", "", ("not made", VERDICT_STYLES["fail"])] for name in report.unmade]
    if report.sequential is not None:
        columns.insert(1, Column("images", right=True))
        taken = [f"{found.stop.images:,}" if found.stop else "" for found in report.artifacts.values()]
        rows = [[row[0], count, *row[1:]] for row, count in zip_longest(rows, ["", *taken], fillvalue="")]
    print_table(columns, rows)
    for name, found in report.artifacts.items():
        if found.verdict != "pass":
            click.echo(f"{name}: {found.reason}")
        for line in _remarks(found):
            click.echo(f"{name}: {line}")


def _remarks(found: ArtifactReport) -> list[str]:
    """Further remarks on an artifact: its repair, and problems of its calibration."""
    remarks = []
    if found.passed_on is not None:
        remarks.append(cascade_text(found.passed_on))
    if found.kernels is not None and found.kernels.depends_on_cpu:
        text = kernels_text(found.kernels)
        remarks += [text] if text not in found.reason else []
    if found.repair is not None and found.repair.rungs:
        first, kept = found.repair.rungs[0], found.repair.kept
        if kept:
            remarks.append(
                f"repaired by {', '.join(step.name for step in kept)}: floored KL {first.kl:.4f} -> "
                f"{kept[-1].kl:.4f}, agreement {100 * first.agreement:.2f} -> {100 * kept[-1].agreement:.2f} % "
                "on calibration-side images"
            )
        else:
            remarks.append("repair was tried and nothing helped; the report shows every step")
    if found.calibration is not None:
        remarks += [f"calibration: {line}" for line in calibration_warnings(found.calibration)]
    return remarks


def print_pareto(points: Sequence[ParetoPoint]) -> None:
    """Prints all artifacts that were tried; the Pareto set is starred.

    Args:
        points: What was tried.
    """
    rows: list[list[Cell]] = [
        [
            f"{point.name}{' *' if point.on_front else ''}",
            size_text(point.bytes),
            latency_text(point.latency_ms),
            f"{100 * point.top1:.2f} %",
            (point.verdict, VERDICT_STYLES.get(point.verdict, "")),
        ]
        for point in points
    ]
    print_table(_columns("tried", "size", "latency", "top-1"), rows)


def print_artifacts(manifest: Manifest, unmade: Mapping[str, str]) -> None:
    """Prints the artifacts of a bundle that was not checked.

    Args:
        manifest: Its manifest.
        unmade: The error by kind, for artifacts that could not be made.
    """
    rows: list[list[Cell]] = [
        [entry.kind, entry.file, size_text(entry.bytes)] for entry in manifest.artifacts
    ]
    rows += [[name, ("not made", VERDICT_STYLES["fail"]), ""] for name in unmade]
    print_table([Column("artifact"), Column("file"), Column("size", right=True)], rows)
    for name, why in unmade.items():
        click.echo(f"{name}: not made. {why}")


def calibration_warnings(report: CalibrationReport) -> tuple[str, ...]:
    """Lists the problems of a calibration; empty if there are none.

    Args:
        report: Its measurements.
    """
    warnings = []
    absent = [label for label, count in report.per_class.items() if not count]
    if absent and report.images >= len(report.per_class):
        warnings.append(
            f"no calibration images for {len(absent)} of {len(report.per_class)} classes, such as {absent[0]}"
        )
    if report.clipped is not None and report.clipped > MOST_CLIPPED:
        warnings.append(
            f"{100 * report.clipped:.2g} % of the activations of other images are clipped; "
            "calibrate on more, or more varied, images"
        )
    if report.spread > MOST_SPREAD:
        warnings.append(
            f"agreement varies by {100 * report.spread:.2f} points between {report.sizes[0].images} and "
            f"{report.sizes[-1].images} images; calibrate on more"
        )
    if report.largest is not None and report.largest.overflows:
        warnings.append(f"the float model {report.largest.text}")
    return tuple(warnings)


def print_baseline(since: BaselineReport) -> None:
    """Prints one line per artifact, and the reason if it did not pass.

    Args:
        since: The comparison with the baseline.
    """
    click.echo("Since the baseline:")
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
    print_table(_columns("artifact", "top-1", "won / lost", "agreement", "size"), rows)
    for kind, one in since.artifacts.items():
        if one.verdict != "pass":
            click.echo(f"{kind}: {one.reason}")


def _columns(name: str, *numbers: str) -> list[Column]:
    """A name, numbers, and the verdict."""
    return [Column(name), *(Column(number, right=True) for number in numbers), Column("verdict")]
