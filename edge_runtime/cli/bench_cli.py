"""``snapship bench``: measures a bundle on this machine."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import click

from edge_runtime.bench import ArtifactTiming, BenchReport, Latency, Machine
from edge_runtime.bench import bench as measure
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.cli.options import FilledPath
from edge_runtime.common.errors import UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.terminal import Cell, Column, print_table
from edge_runtime.common.text import printable
from edge_runtime.engines import ENGINES


@click.command()
@click.argument("bundle", type=FilledPath())
@click.option(
    "--artifact",
    "artifacts",
    metavar="KIND",
    multiple=True,
    help="Artifact to measure; repeatable. Default: all.",
)
@click.option(
    "--engine",
    "engines",
    type=click.Choice(list(ENGINES)),
    multiple=True,
    help="Interpreter to measure; repeatable. Default: all that are installed.",
)
@click.option("--threads", default="1", show_default=True, metavar="N[,N...]", help="Threads per inference.")
@click.option("--image", metavar="FILE", help="Image to classify. Default: a generated 320x240 JPEG.")
@click.option(
    "--runs", type=click.IntRange(1), default=200, show_default=True, help="Predictions to time per case."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Time limit of all timing together.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(
    bundle: str,
    artifacts: tuple[str, ...],
    engines: tuple[str, ...],
    threads: str,
    image: str | None,
    runs: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure the speed and memory of a bundle on this machine.

    Times whole predictions, once from pixels of the model's size and once from an encoded
    image. Artifacts take turns, so that noise affects all of them alike. Memory and cold
    start are measured in fresh processes.

    \b
    Examples:
      snapship bench flowers.bundle
      snapship bench flowers.bundle --artifact tflite-int8 --threads 1,2 --image photo.jpg --json
    """
    opened = Bundle.open(bundle)
    with quiet():
        found = measure(
            opened, artifacts=artifacts, engines=engines, threads=_numbers(threads), image=image,
            runs=runs, seconds=seconds,
        )  # fmt: skip
    if found.machine.busy:
        click.echo(
            f"Warning: the machine is busy (load {found.machine.load:.1f} on {found.machine.cores} cores), "
            "so the figures are worse than they could be.",
            err=True,
        )
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        _print(found)


def _numbers(text: str) -> tuple[int, ...]:
    if not re.fullmatch("[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*", text, re.ASCII):
        raise UsageError(f"--threads must be whole numbers from 1. Received: {text!r}. Pass for example 1,2.")
    return tuple(int(part) for part in text.split(","))


def _print(found: BenchReport) -> None:
    numbers = ("p50 ms", "p90 ms", "p99 ms", "img/s", "RSS MB", "cold start ms")
    measured = [Column(name, right=True) for name in numbers]
    columns: list[Column | str] = ["artifact", "engine", Column("threads", right=True), "input", *measured]
    print_table(columns, [row for entry in found.results for row in _rows(entry)])
    click.echo(f"\nimage    {printable(found.image)}\nmachine  {_machine(found.machine)}")
    if found.skipped:
        click.echo(f"Skipped, no selected and installed engine runs them: {', '.join(found.skipped)}")


def _rows(entry: ArtifactTiming) -> list[list[Cell]]:
    head: list[Cell] = [entry.artifact, entry.engine, str(entry.threads)]
    process: list[Cell] = [f"{entry.rss_mb:.0f}", f"{entry.cold_start_ms:.0f}"]
    times = {"array": entry.array, "image": entry.image}
    return [[*head, input, *_times(latency), *process] for input, latency in times.items()]


def _times(latency: Latency) -> list[Cell]:
    numbers = [f"{value:.3f}" for value in (latency.p50_ms, latency.p90_ms, latency.p99_ms)]
    return [*numbers, f"{latency.images_per_s:,.0f}"]


def _machine(machine: Machine) -> str:
    load = "unknown" if machine.load is None else f"{machine.load:.1f}"
    return f"{machine.cpu}, {machine.cores} cores, load {load} at the start"
