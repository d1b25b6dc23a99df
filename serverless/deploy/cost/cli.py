"""``snapship cost``: the monthly cost of an endpoint, by memory size."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from edge_runtime.bench import this_machine
from edge_runtime.common.temporary import temporary_files_together
from edge_runtime.common.terminal import Cell, Column, GroupedCommand, print_table, printable
from serverless.deploy.config.rules import Arch, Front
from serverless.deploy.cost import Estimate, Load, Prices, RequestProfile, Row, estimate, measure, read_prices
from serverless.deploy.cost.estimating import HEADROOM, SIZES_MB, WORTH, check_sizes
from serverless.deploy.cost.prices import TABLE
from serverless.deploy.manage import cli_options


@click.command(
    cls=GroupedCommand,
    groups={
        "Load": "--requests --cold-share --p99-ms",
        "Endpoint": "--memory --arch --front --artifact",
        "Measurement": "--ms --image --seconds",
        "Prices": "--prices --free-tier",
        "Output": "--json",
    },
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--requests", type=float, default=Load.requests, show_default=True,
    help="Calls per month, one image each.",
)  # fmt: skip
@click.option(
    "--memory", "memory_mb", type=int, metavar="MB", help="Only this size; default: a table of sizes."
)
@click.option(
    "--arch", type=click.Choice(get_args(Arch)), default=Load.arch, show_default=True,
    help="Architecture of the function: the price differs, the speed is assumed to be the same.",
)  # fmt: skip
@click.option(
    "--front", type=click.Choice(get_args(Front)), default=Load.front, show_default=True,
    help="A function URL, which is free, or an HTTP API.",
)  # fmt: skip
@click.option("--p99-ms", type=float, metavar="MS", help="Maximum acceptable p99 latency of warm calls.")
@click.option(
    "--cold-share", type=float, default=Load.cold_share, show_default=True, metavar="SHARE",
    help="Share of the calls that are cold starts.",
)  # fmt: skip
@click.option("--free-tier", is_flag=True, help="Subtract the account's monthly free tier.")
@click.option(
    "--ms", type=float, metavar="MS", help="Duration of a warm call on one vCPU, measured elsewhere."
)
@click.option("--artifact", metavar="KIND", help="E.g. tflite-int8; default: the one that would be served.")
@click.option(
    "--image", "images", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="Image to measure with; repeatable. Default: the golden images, which may be small.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), default=6.0, show_default=True,
    help="Total time to measure requests.",
)  # fmt: skip
@click.option(
    "--prices", "table", type=click.Path(path_type=Path), default=TABLE, metavar="FILE",
    help="Price table; default: the built-in one.",
)  # fmt: skip
@cli_options.as_json
@temporary_files_together()
def cost(
    bundle: Path,
    memory_mb: int | None,
    ms: float | None,
    artifact: str | None,
    images: tuple[Path, ...],
    seconds: float,
    table: Path,
    as_json: bool,
    **load: Any,
) -> None:
    """Estimate the monthly cost of BUNDLE as an endpoint, and the cheapest memory size.

    Starts the app here as Lambda would, times requests, and assumes that one CPU of this machine is
    as fast as one vCPU of Lambda: 1,769 MB of memory give one, less memory a share of it. Prices
    come from a dated table. Outgoing data, provisioned concurrency and taxes are not included.

    \b
    Examples:
      snapship cost flowers.bundle --requests 1e6 --image photo.jpg
      snapship cost flowers.bundle --arch arm64 --p99-ms 500 --free-tier
      snapship cost flowers.bundle --memory 1024 --ms 42 --json
    """
    wanted = Load(**load)
    prices = read_prices(table)
    sizes = SIZES_MB if memory_mb is None else (memory_mb,)
    check_sizes(sizes)
    machine = this_machine()
    if machine.busy and ms is None:
        click.echo("Warning: this machine is busy, so the measured times are too long.", err=True)
    click.echo("Measuring three starts and sequential requests ...", err=True)
    measured = measure(bundle, artifact=artifact, images=images, seconds=seconds)
    if ms is not None:
        measured = measured.with_ms(ms)
    found = estimate(measured, wanted, prices, sizes)
    if as_json:
        click.echo(json.dumps(record(found, measured, prices), indent=2))
    else:
        _print(found, measured, prices)
        if not images and ms is None:
            click.echo("Golden images may be smaller than your users' photos: pass --image photo.jpg.")


def record(found: Estimate, measured: RequestProfile, prices: Prices) -> dict[str, Any]:
    """Everything as plain data for JSON.

    Args:
        found: The estimate.
        measured: The measurement behind it.
        prices: The price table.
    """
    load = asdict(found.load)
    return {
        "p99_limit_ms": load.pop("p99_ms"),
        **load,
        "prices": {name: getattr(prices, name) for name in ("date", "region", "source", "verified")},
        "measured": asdict(measured),
        "rows": [asdict(row) for row in found.rows],
        "cheapest_mb": found.cheapest_mb,
        "advised_mb": found.advised_mb,
    }


def _print(found: Estimate, measured: RequestProfile, prices: Prices) -> None:
    names = [
        "memory MB",
        "vCPU",
        "ms",
        "p99 ms",
        "start ms",
        "duration $",
        "calls $",
        "logs, alarms $",
        "total $",
    ]
    columns = [*(Column(name, right=True) for name in names), Column("")]
    print_table(columns, [_cells(row, found) for row in found.rows])
    click.echo("")
    click.echo(_advice(found, measured))
    timed = f"{measured.requests} requests timed here" if measured.requests else "duration as given"
    click.echo(
        f"Measured: {printable(measured.artifact)}, {printable(measured.images)}, {timed}; "
        f"peak memory {measured.peak_mb:.0f} MB; a size must have {HEADROOM:g} times as much."
    )
    if measured.passed_on is not None:
        click.echo(
            f"Cascade: {measured.passed_on:.1%} of the requests, as of the images on which it was judged, run both "
            "models; memory and start include both."
        )
    click.echo(
        "Assumed: one CPU of this machine is as fast as one vCPU of Lambda; pass --ms with a real duration."
    )
    checked = "compared with AWS's pages" if prices.verified else "not compared with AWS's pages"
    click.echo(f"Prices: {prices.date}, {prices.region}, from {printable(prices.source)}, {checked}.")


def _cells(row: Row, found: Estimate) -> list[Cell]:
    if not row.fits:
        note: Cell = ("too little memory", "dim")
    elif not row.fast:
        note = ("too slow", "dim")
    elif row.memory_mb == found.advised_mb:
        note = ("<- advised", "green")
    elif row.memory_mb == found.cheapest_mb:
        note = ("<- cheapest", "green")
    else:
        note = ""
    money = [f"{value:,.2f}" for value in (row.duration_usd, row.requests_usd, row.monitoring_usd, row.usd)]
    times = [
        f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in (row.ms, row.p99_ms, row.init_ms)
    ]
    return [str(row.memory_mb), f"{row.cpus:.2f}", *times, *money, note]


def _advice(found: Estimate, measured: RequestProfile) -> str:
    if found.cheapest_mb is None or found.advised_mb is None:
        limit = "" if found.load.p99_ms is None else f" within a p99 of {found.load.p99_ms:g} ms"
        return f"No size in the table has {HEADROOM:g} x {measured.peak_mb:.0f} MB of memory{limit}."
    cheapest, advised = found.row(found.cheapest_mb), found.row(found.advised_mb)
    text = f"Cheapest: {cheapest.memory_mb} MB, {cheapest.usd:,.2f} $ per month."
    if advised is not cheapest:
        text += (
            f" Advised: {advised.memory_mb} MB, {advised.usd:,.2f} $ and {cheapest.ms / advised.ms:.1f} times as "
            f"fast (speed may cost up to {WORTH - 1:.0%} more)."
        )
    return text
