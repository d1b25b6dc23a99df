"""A row of costs for each memory size, and the cheapest that is good enough."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge_runtime.errors import UsageError
from serverless.deploy.config import ONE_CPU_MB
from serverless.deploy.config_rules import MEMORY_MB, Arch, Front
from serverless.deploy.cost import formulas
from serverless.deploy.cost.measuring import RequestProfile
from serverless.deploy.cost.prices import Prices
from serverless.deploy.errors import LimitError

SIZES_MB = (128, 256, 512, 768, 1024, 1536, ONE_CPU_MB, 2048, 3008, 4096, 6144, 8192, 10_240)

HEADROOM = 1.5
"""Memory that a size must have of the measured peak: for Lambda's own runtime and for larger images."""

WORTH = 1.05
"""What a faster size may cost of the cheapest."""


@dataclass(frozen=True)
class Load:
    """What the endpoint is asked to do.

    Attributes:
        requests: Calls a month, with one image each.
        cold_share: Share of calls that start an instance first, 0 to 1.
        arch: Processor of the function.
        front: What stands before it.
        p99_ms: Largest p99 of warm calls that is good enough; None for any.
        free_tier: Whether the account's free tier is subtracted.
    """

    requests: float = 1e6
    cold_share: float = 0.01
    arch: Arch = "x86_64"
    front: Front = "url"
    p99_ms: float | None = None
    free_tier: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.requests < math.inf:
            raise UsageError(f"requests must be 0 or more. Received: {self.requests}. Pass such as 1e6.")
        if not 0 <= self.cold_share <= 1:
            raise UsageError(
                f"The share of cold starts must be from 0 to 1. Received: {self.cold_share}. Pass 0.01 for 1 %."
            )
        if self.p99_ms is not None and not 0 < self.p99_ms < math.inf:
            raise UsageError(f"p99-ms must be positive. Received: {self.p99_ms}. Pass such as 500.")


@dataclass(frozen=True)
class CostRow:
    """One memory size.

    Attributes:
        memory_mb: Of the function.
        cpus: Processors that it brings.
        ms: Median of a warm call.
        p99_ms: 99 of 100 warm calls are faster.
        init_ms: Start of an instance.
        gb_seconds: Billed a month, starts included.
        duration_usd: For those, a month.
        requests_usd: For calls, a month.
        monitoring_usd: For logs, metrics and alarms, a month.
        usd: All of it.
        fits: Whether the measured memory fits, see :data:`HEADROOM`.
        fast: Whether p99_ms is good enough.
    """

    memory_mb: int
    cpus: float
    ms: float
    p99_ms: float
    init_ms: float
    gb_seconds: float
    duration_usd: float
    requests_usd: float
    monitoring_usd: float
    usd: float
    fits: bool
    fast: bool


@dataclass(frozen=True)
class CostEstimate:
    """All rows.

    Attributes:
        load: What was asked for.
        rows: By memory.
        cheapest_mb: Memory of the cheapest row that fits and is fast; None if there is none.
        advised_mb: The fastest of those that cost at most :data:`WORTH` times as much. Up to
            one processor, twice the memory is half the time for about the same money.
    """

    load: Load
    rows: tuple[CostRow, ...]
    cheapest_mb: int | None
    advised_mb: int | None

    def row(self, memory_mb: int) -> CostRow:
        """The row of a memory size.

        Args:
            memory_mb: One that was asked for.
        """
        return next(row for row in self.rows if row.memory_mb == memory_mb)


def estimate(
    measured: RequestProfile, load: Load, prices: Prices, sizes_mb: tuple[int, ...] = SIZES_MB
) -> CostEstimate:
    """Prices a load for each memory size.

    Args:
        measured: Of one request on one whole processor.
        load: What is asked for.
        prices: The table.
        sizes_mb: Memory sizes.

    Raises:
        LimitError: A size is not one that a function can have.
    """
    check_sizes(sizes_mb)
    rows = tuple(_row(measured, load, prices, size) for size in sorted(set(sizes_mb)))
    good = [row for row in rows if row.fits and row.fast]
    if not good:
        return CostEstimate(load, rows, None, None)
    cheapest = min(good, key=lambda row: (row.usd, row.ms, row.memory_mb))
    worth = [row for row in good if row.usd <= WORTH * cheapest.usd]
    advised = min(worth, key=lambda row: (row.ms, row.usd, row.memory_mb))
    return CostEstimate(load, rows, cheapest.memory_mb, advised.memory_mb)


def check_sizes(sizes_mb: Iterable[int]) -> None:
    """Refuses memory that no function can have.

    Args:
        sizes_mb: Memory sizes.

    Raises:
        LimitError: One is too small or too large.
    """
    low, high = MEMORY_MB
    for size in sizes_mb:
        if not low <= size <= high:
            raise LimitError(f"Memory must be {low} to {high} MB. Received: {size}. Pass one in between.")


def _row(measured: RequestProfile, load: Load, prices: Prices, memory_mb: int) -> CostRow:
    free = prices.free_tier if load.free_tier else None
    mean, p50, p99, init = (
        formulas.scaled_ms(ms, memory_mb)
        for ms in (measured.mean_ms, measured.p50_ms, measured.p99_ms, measured.init_ms)
    )
    # Starts are billed like calls since August 2025.
    seconds = formulas.gb_seconds(memory_mb, mean, load.requests) + formulas.gb_seconds(
        memory_mb, init, load.requests * load.cold_share
    )
    duration = formulas.duration_usd(prices, load.arch, seconds, free)
    requests = formulas.requests_usd(prices, load.front, load.requests, free)
    monitoring = formulas.monitoring_usd(prices, load.requests, measured.log_bytes, measured.metrics, free)
    return CostRow(
        memory_mb=memory_mb,
        cpus=formulas.cpus(memory_mb),
        ms=p50,
        p99_ms=p99,
        init_ms=init,
        gb_seconds=seconds,
        duration_usd=duration,
        requests_usd=requests,
        monitoring_usd=monitoring,
        usd=duration + requests + monitoring,
        fits=measured.peak_mb * HEADROOM <= memory_mb,
        fast=load.p99_ms is None or p99 <= load.p99_ms,
    )
