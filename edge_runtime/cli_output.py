"""What the device's commands print."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from edge_runtime.classifier import Classifier
from edge_runtime.errors import ImageError
from edge_runtime.golden import Replay, SelfTest
from edge_runtime.manifest import Artifact, Manifest
from edge_runtime.result import Result
from edge_runtime.terminal import Cell, Column, aligned, is_terminal, print_table, printable, progress

_BAR_CELLS = 12
_LABEL_CELLS = 40
"""Longer labels do not widen the column of plain lines."""

_VERDICTS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "unchecked": "dim"}


def print_answers(
    names: list[str], answers: Iterator[Result | ImageError], used: Classifier, *, as_json: bool
) -> int:
    """Prints what images show; errors of images go to stderr, or into the JSON.

    Args:
        names: The images as the user named them.
        answers: One for each, in the same order.
        used: The classifier that answers.
        as_json: One JSON object a line; else a table on a terminal, plain lines elsewhere.

    Returns:
        How many images could not be used.
    """
    if as_json:
        return _json_answers(names, answers)
    return _table_answers(names, answers, used) if is_terminal() else _plain_answers(names, answers, used)


def selftest_record(outcome: SelfTest) -> dict[str, Any]:
    """A replay of the golden examples as plain data for JSON."""
    return {
        "passed": outcome.passed,
        "replays": [
            {
                "artifact": replay.artifact,
                "engine": replay.engine,
                "image": replay.file,
                "failed": replay.failed,
                # JSON has no NaN.
                "max_abs_dp": _finite(replay.max_abs_dp),
                "tolerance": replay.tolerance,
                "detail": replay.detail,
            }
            for replay in outcome.replays
        ],
        "skipped": list(outcome.skipped),
    }


def print_selftest(outcome: SelfTest) -> None:
    """Prints a replay of the golden examples."""
    columns = [
        Column("artifact"),
        Column("engine"),
        Column("image"),
        Column("result"),
        Column("max |dp|", right=True),
        Column("allowed", right=True),
    ]
    if outcome.replays:
        print_table(columns, [_replay_row(replay) for replay in outcome.replays])
    for replay in outcome.replays:
        if replay.failed is not None:
            click.echo(f"{replay.artifact} {printable(replay.file)}: {printable(replay.detail)}")
    if outcome.skipped:
        click.echo(f"Skipped, no installed engine reads them: {', '.join(outcome.skipped)}")
    if outcome.passed:
        click.echo(f"Passed: {len(outcome.replays)} replays are as at export.")


def _replay_row(replay: Replay) -> list[Cell]:
    result: Cell = ("ok", "green") if replay.failed is None else (f"{replay.failed} differs", "bold red")
    dp = "-" if replay.max_abs_dp is None else f"{replay.max_abs_dp:.1e}"
    return [replay.artifact, replay.engine, printable(replay.file), result, dp, f"{replay.tolerance:.0e}"]


def print_info(manifest: Manifest, *, examples: int) -> None:
    """Prints what a manifest says.

    Args:
        manifest: The manifest.
        examples: How many golden examples the bundle holds.
    """
    for name, value in _facts(manifest, examples).items():
        click.echo(f"{name:<13}{printable(value)}")
    click.echo()
    columns = [
        Column("artifact"),
        Column("file"),
        Column("size", right=True),
        Column("verdict"),
        Column("top-1", right=True),
        Column("change", right=True),
        Column("at worst", right=True),
    ]
    print_table(columns, [_artifact_row(artifact) for artifact in manifest.artifacts])


def _each(
    names: list[str], answers: Iterator[Result | ImageError], bad: list[str]
) -> Iterator[tuple[str, Result]]:
    """Yields the usable images' results and reports the others."""
    with progress("Classifying", len(names)) as steps:
        for name, answer in zip(names, answers, strict=True):
            steps.advance()
            if isinstance(answer, ImageError):
                bad.append(name)
                steps.complain(f"Error: {printable(' '.join(str(answer).split()))}")
            else:
                yield printable(name), answer


def _json_answers(names: list[str], answers: Iterator[Result | ImageError]) -> int:
    bad = 0
    # On a terminal the lines themselves show progress.
    with progress("Classifying", 0 if sys.stdout.isatty() else len(names)) as steps:
        for name, answer in zip(names, answers, strict=True):
            steps.advance()
            record: dict[str, Any] = {"image": name}
            if isinstance(answer, ImageError):
                bad += 1
                record["error"] = str(answer)
            else:
                record |= answer.to_dict()
            click.echo(json.dumps(record))
    return bad


def _plain_answers(names: list[str], answers: Iterator[Result | ImageError], used: Classifier) -> int:
    """One line an image, as soon as it is known: the best classes, best first."""
    bad: list[str] = []
    name_width = max(len(printable(name)) for name in names)
    label_width = min(_LABEL_CELLS, max(len(printable(label)) for label in used.labels))
    for name, result in _each(names, answers, bad):
        cells, widths = [name], [name_width]
        for entry in result.predictions:
            cells += [printable(entry.label), f"{entry.score:.4f}"]
            widths += [label_width, 6]
        click.echo(aligned(cells, widths, [False] * len(cells)))
    return len(bad)


def _table_answers(names: list[str], answers: Iterator[Result | ImageError], used: Classifier) -> int:
    bad: list[str] = []
    started = time.perf_counter()
    good = list(_each(names, answers, bad))
    spent_ms = (time.perf_counter() - started) * 1000.0 / len(names)
    caption = f"{used.artifact.kind} on {used.engine}"
    if len(good) == 1:
        name, result = good[0]
        columns = [Column("label"), Column("score", right=True), Column("")]
        rows: list[list[Cell]] = [
            [(printable(entry.label), "bold" if entry is result.top else ""), *_score(entry.score)]
            for entry in result.predictions
        ]
        print_table(columns, rows, title=name, caption=caption)
    elif good:
        columns = [Column("image"), Column("label"), Column("score", right=True), Column(""), Column("next")]
        print_table(
            columns,
            [_image_row(name, result) for name, result in good],
            caption=f"{caption}, {spent_ms:.1f} ms an image",
        )
    return len(bad)


def _image_row(name: str, result: Result) -> list[Cell]:
    second = result.predictions[1] if len(result.predictions) > 1 else None
    runner_up = f"{printable(second.label)} {second.score:.1%}" if second is not None else ""
    return [name, (printable(result.top.label), "bold"), *_score(result.top.score), (runner_up, "dim")]


def _score(score: float) -> list[Cell]:
    """The score and its bar: green when sure, yellow when it could be something else."""
    sign, empty = ("█", "░") if (sys.stdout.encoding or "").lower().startswith("utf") else ("#", ".")
    # Full only when the number beside it says 100 %.
    filled = int(round(score, 3) * _BAR_CELLS)
    style = "green" if score >= 0.8 else "yellow" if score >= 0.5 else "red"
    return [f"{score:.1%}", (sign * filled + empty * (_BAR_CELLS - filled), style)]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _facts(manifest: Manifest, examples: int) -> dict[str, str]:
    spec, origin = manifest.input, manifest.provenance
    colours = "RGB" if spec.channels == 3 else "grayscale"
    labels = ", ".join(manifest.labels[:5]) + (", ..." if len(manifest.labels) > 5 else "")
    return {
        "name": manifest.name,
        "input": f"{spec.width} x {spec.height} pixels (width x height), {colours}, {spec.fit}",
        "labels": f"{len(manifest.labels)}: {labels}",
        "golden": f"{examples} examples" if examples else "none",
        "model": origin.model,
        "created": f"{origin.created} by snapship {origin.snapship}",
        "calibration": f"{origin.calibration_images} images" if origin.calibration_images else "none",
        "versions": ", ".join(f"{name} {number}" for name, number in origin.versions.items()) or "unknown",
    }


def _artifact_row(artifact: Artifact) -> list[Cell]:
    verdict: Cell = (artifact.verdict, _VERDICTS[artifact.verdict])
    row: list[Cell] = [artifact.kind, printable(artifact.file), _size(artifact.bytes), verdict]
    if artifact.metrics is None:
        return [*row, "-", "-", "-"]
    # Changes of top-1 are in points of a hundred, so that nobody reads them as relative.
    changes = [f"{100 * value:+.1f} pt" for value in (artifact.metrics.delta, artifact.metrics.bound)]
    return [*row, f"{artifact.metrics.top1:.1%}", *changes]


def _size(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e3:.1f} kB" if count >= 1000 else f"{count} B"
