"""``snapship cost``: what an endpoint costs a month, by memory size."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_runtime.bench import this_machine
from edge_runtime.option_groups import GroupedCommand
from edge_runtime.temporary import temporary_files_together
from edge_runtime.terminal import Cell, Column, print_table, printable
from serverless.deploy.cost import Estimate, Load, Measured, Prices, Row, estimate, measure, read_prices
from serverless.deploy.cost.estimating import HEADROOM, SIZES_MB, WORTH, check_sizes
from serverless.deploy.cost.prices import TABLE


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
@click.option("--requests", type=float, default=1e6, show_default=True, help="Calls a month, one image each.")
@click.option(
    "--memory", "memory_mb", type=int, metavar="MB", help="This size alone; default: a table of them."
)
@click.option(
    "--arch", type=click.Choice(["x86_64", "arm64"]), default="x86_64", show_default=True,
    help="Processor of the function; its price differs, and its speed is taken as the same.",
)  # fmt: skip
@click.option(
    "--front", type=click.Choice(["url", "http-api"]), default="url", show_default=True,
    help="A function URL, which is free, or an HTTP API.",
)  # fmt: skip
@click.option("--p99-ms", type=float, metavar="MS", help="Slowest p99 of warm calls that is good enough.")
@click.option(
    "--cold-share", type=float, default=0.01, show_default=True, metavar="SHARE",
    help="Share of calls that start an instance first.",
)  # fmt: skip
@click.option("--free-tier", is_flag=True, help="Subtract the account's monthly free tier.")
@click.option(
    "--ms", type=float, metavar="MS", help="Time of a warm call on one processor, measured elsewhere."
)
@click.option(
    "--artifact", metavar="KIND", help="Such as tflite-int8; default: the one that would be served."
)
@click.option(
    "--image", "images", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="Image to measure with; repeatable. Default: the golden images, which may be small.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), default=6.0, show_default=True,
    help="How long to time requests, in all.",
)  # fmt: skip
@click.option(
    "--prices", "table", type=click.Path(path_type=Path), default=TABLE, metavar="FILE",
    help="Price table; default: the one that is shipped.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@temporary_files_together()
def cost(
    bundle: Path,
    requests: float,
    memory_mb: int | None,
    arch: Any,
    front: Any,
    p99_ms: float | None,
    cold_share: float,
    free_tier: bool,
    ms: float | None,
    artifact: str | None,
    images: tuple[Path, ...],
    seconds: float,
    table: Path,
    as_json: bool,
) -> None:
    """Estimate what BUNDLE costs a month as an endpoint, and the cheapest memory size.

    Starts the app here as Lambda would, times requests, and takes a processor of this machine
    for one of Lambda's: 1,769 MB of memory bring one, less memory a part of it. The prices
    are a table with its date. Data sent out, provisioned concurrency and taxes are left out.

    \b
    Examples:
      snapship cost flowers.bundle --requests 1e6 --image photo.jpg
      snapship cost flowers.bundle --arch arm64 --p99-ms 500 --free-tier
      snapship cost flowers.bundle --memory 1024 --ms 42 --json
    """
    load = Load(requests, cold_share, arch, front, p99_ms, free_tier)
    prices = read_prices(table)
    sizes = SIZES_MB if memory_mb is None else (memory_mb,)
    check_sizes(sizes)
    machine = this_machine()
    if machine.busy and ms is None:
        click.echo("Warning: the machine is busy, the times are longer than they could be.", err=True)
    click.echo("Measuring: three starts, and requests one after the other ...", err=True)
    measured = measure(bundle, artifact=artifact, images=images, seconds=seconds)
    if ms is not None:
        measured = measured.with_ms(ms)
    found = estimate(measured, load, prices, sizes)
    if as_json:
        click.echo(json.dumps(record(found, measured, prices), indent=2))
    else:
        _print(found, measured, prices)
        if not images and ms is None:
            click.echo("Golden images may be smaller than those of your users: pass --image photo.jpg.")


def record(found: Estimate, measured: Measured, prices: Prices) -> dict[str, Any]:
    """All of it as plain data for JSON.

    Args:
        found: The rows.
        measured: What they are made of.
        prices: The table.
    """
    table = {
        "date": prices.date,
        "region": prices.region,
        "source": prices.source,
        "verified": prices.verified,
    }
    return {
        "requests": found.load.requests,
        "arch": found.load.arch,
        "front": found.load.front,
        "cold_share": found.load.cold_share,
        "free_tier": found.load.free_tier,
        "p99_limit_ms": found.load.p99_ms,
        "prices": table,
        "measured": asdict(measured),
        "rows": [asdict(row) for row in found.rows],
        "cheapest_mb": found.cheapest_mb,
        "advised_mb": found.advised_mb,
    }


def _print(found: Estimate, measured: Measured, prices: Prices) -> None:
    columns = [
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
    print_table(
        [*(Column(name, right=True) for name in columns), Column("")],
        [_cells(row, found) for row in found.rows],
    )
    click.echo("")
    click.echo(_advice(found, measured))
    timed = f"{measured.requests} requests timed here" if measured.requests else "time as given"
    click.echo(
        f"Measured: {printable(measured.artifact)}, {printable(measured.images)}, {timed}; "
        f"peak memory {measured.peak_mb:.0f} MB, of which a size must have {HEADROOM:g} times."
    )
    click.echo(
        "Assumed: one processor of this machine is as fast as one of Lambda's; pass --ms for a real one."
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


def _advice(found: Estimate, measured: Measured) -> str:
    if found.cheapest_mb is None or found.advised_mb is None:
        wanted = "" if found.load.p99_ms is None else f" and p99 of {found.load.p99_ms:g} ms"
        return f"No size above holds {HEADROOM:g} x {measured.peak_mb:.0f} MB{wanted}."
    cheapest, advised = found.row(found.cheapest_mb), found.row(found.advised_mb)
    text = f"Cheapest: {cheapest.memory_mb} MB, {cheapest.usd:,.2f} $ a month."
    if advised is not cheapest:
        text += (
            f" Advised: {advised.memory_mb} MB, {advised.usd:,.2f} $ and {cheapest.ms / advised.ms:.1f} times as "
            f"fast (up to {WORTH - 1:.0%} more for speed)."
        )
    return text
