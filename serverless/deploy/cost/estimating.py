"""The cost of each memory size, and the cheapest that is good enough: memory to CPU, time and money.

The sources of the formulas are pages of AWS's documentation. As Lambda counts, an MB has 2^20 bytes
and a GB has 1,024 MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge_runtime.common.errors import UsageError
from serverless.deploy.config.deployment_config import ONE_CPU_MB
from serverless.deploy.config.errors import LimitError
from serverless.deploy.config.rules import MEMORY_MB, Arch, Front
from serverless.deploy.cost.measuring import RequestProfile
from serverless.deploy.cost.prices import FreeTier, Prices

SIZES_MB = (128, 256, 512, 768, 1024, 1536, ONE_CPU_MB, 2048, 3008, 4096, 6144, 8192, 10_240)

HEADROOM = 1.5
"""Required memory, in measured peaks: leaves room for Lambda's runtime and for larger images."""

WORTH = 1.05
"""How much a faster size may cost, in costs of the cheapest."""

MAX_CPUS = 6
"""vCPUs of a function with maximum memory (Lambda: configure function memory)."""

ALARM_METRICS = 3
"""Metrics that the alarms of a deployment without events watch: two kinds of errors, and duration."""


@dataclass(frozen=True)
class Load:
    """The load on the endpoint.

    Attributes:
        requests: Calls per month, with one image each.
        cold_share: Share of the calls that are cold starts, 0 to 1.
        arch: Architecture of the function.
        front: A function URL, or an HTTP API.
        p99_ms: Maximum acceptable p99 latency of warm calls; None for any.
        free_tier: Whether to subtract the account's free tier.
    """

    requests: float = 1e6
    cold_share: float = 0.01
    arch: Arch = "x86_64"
    front: Front = "url"
    p99_ms: float | None = None
    free_tier: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.requests < math.inf:
            raise UsageError(f"requests must be 0 or more. Received: {self.requests}. Pass e.g. 1e6.")
        if not 0 <= self.cold_share <= 1:
            raise UsageError(
                f"The share of cold starts must be 0 to 1. Received: {self.cold_share}. Pass 0.01 for 1 %."
            )
        if self.p99_ms is not None and not 0 < self.p99_ms < math.inf:
            raise UsageError(f"p99-ms must be positive. Received: {self.p99_ms}. Pass e.g. 500.")


@dataclass(frozen=True)
class Row:
    """The cost of one memory size.

    Attributes:
        memory_mb: Memory of the function in MB.
        cpus: Number of vCPUs that it gives.
        ms: Median duration of a warm call.
        p99_ms: 99th percentile of the duration of warm calls.
        init_ms: Start of an instance.
        gb_seconds: Billed GB-seconds per month, including starts.
        duration_usd: Their price per month.
        requests_usd: Price of the calls per month.
        monitoring_usd: Price of logs, metrics and alarms per month.
        usd: Total per month.
        fits: Whether the measured memory fits, see :data:`HEADROOM`.
        fast: Whether p99_ms is acceptable.
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
class Estimate:
    """The costs of a load.

    Attributes:
        load: The load.
        rows: One row per memory size, in ascending order.
        cheapest_mb: Memory of the cheapest row that fits and is fast; None if there is none.
        advised_mb: Memory of the fastest row that costs at most :data:`WORTH` times as much. Up to
            one vCPU, twice the memory takes half the time for about the same money.
    """

    load: Load
    rows: tuple[Row, ...]
    cheapest_mb: int | None
    advised_mb: int | None

    def row(self, memory_mb: int) -> Row:
        """The row of a memory size.

        Args:
            memory_mb: One of the estimated sizes.
        """
        return next(row for row in self.rows if row.memory_mb == memory_mb)


def estimate(
    measured: RequestProfile, load: Load, prices: Prices, sizes_mb: tuple[int, ...] = SIZES_MB
) -> Estimate:
    """Prices a load for each memory size.

    Args:
        measured: One request on one whole CPU.
        load: The load.
        prices: The price table.
        sizes_mb: Memory sizes in MB.

    Raises:
        LimitError: A size is outside the limits of AWS.
    """
    check_sizes(sizes_mb)
    rows = tuple(_row(measured, load, prices, size) for size in sorted(set(sizes_mb)))
    good = [row for row in rows if row.fits and row.fast]
    if not good:
        return Estimate(load, rows, None, None)
    cheapest = min(good, key=lambda row: (row.usd, row.ms, row.memory_mb))
    worth = [row for row in good if row.usd <= WORTH * cheapest.usd]
    advised = min(worth, key=lambda row: (row.ms, row.usd, row.memory_mb))
    return Estimate(load, rows, cheapest.memory_mb, advised.memory_mb)


def check_sizes(sizes_mb: Iterable[int]) -> None:
    """Refuses memory sizes outside the limits of AWS.

    Args:
        sizes_mb: Memory sizes in MB.

    Raises:
        LimitError: One is too small or too large.
    """
    low, high = MEMORY_MB
    for size in sizes_mb:
        if not low <= size <= high:
            raise LimitError(
                f"Memory must be {low} to {high} MB. Received: {size}. Pass a value in that range."
            )


def _row(measured: RequestProfile, load: Load, prices: Prices, memory_mb: int) -> Row:
    free = prices.free_tier if load.free_tier else None
    mean, p50, p99, init = (
        scaled_ms(ms, memory_mb)
        for ms in (measured.mean_ms, measured.p50_ms, measured.p99_ms, measured.init_ms)
    )
    # Starts are billed like calls since August 2025.
    seconds = gb_seconds(memory_mb, mean, load.requests) + gb_seconds(
        memory_mb, init, load.requests * load.cold_share
    )
    duration = duration_usd(prices, load.arch, seconds, free)
    requests = requests_usd(prices, load.front, load.requests, free)
    monitoring = monitoring_usd(prices, load.requests, measured.log_bytes, measured.metrics, free)
    return Row(
        memory_mb=memory_mb,
        cpus=cpus(memory_mb),
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


def cpus(memory_mb: int) -> float:
    """VCPUs of a memory size: in proportion, 1,769 MB for one, at most 6.

    Source: AWS Lambda Developer Guide, "Configure Lambda function memory".

    Args:
        memory_mb: Memory of the function in MB.
    """
    return min(memory_mb / ONE_CPU_MB, float(MAX_CPUS))


def scaled_ms(ms_on_one_cpu: float, memory_mb: int) -> float:
    """Scales a duration from one whole vCPU to a memory size.

    Below one vCPU a function gets a part of each time slice, so work takes proportionally longer.
    Above it a single thread gets no faster, and the app runs inference in one thread.

    Args:
        ms_on_one_cpu: Duration in one thread on one vCPU.
        memory_mb: Memory of the function in MB.
    """
    return ms_on_one_cpu / min(cpus(memory_mb), 1.0)


def billed_ms(ms: float) -> int:
    """Billed duration: rounded up to a whole millisecond, at least one.

    Source: AWS Lambda pricing, "Duration is calculated ... rounded up to the nearest 1 ms".

    Args:
        ms: Duration of a call.
    """
    # Otherwise 12.000000000000002, which stands for 12, would be billed as 13.
    return max(1, math.ceil(round(ms, 6)))


def gb_seconds(memory_mb: int, ms: float, calls: float) -> float:
    """Billed GB-seconds: GB of the function's memory times billed seconds.

    Source: AWS Lambda pricing.

    Args:
        memory_mb: Memory of the function in MB, used or not.
        ms: Duration of one call.
        calls: Number of calls.
    """
    return memory_mb / 1024 * billed_ms(ms) / 1000 * calls


def duration_usd(prices: Prices, arch: str, seconds: float, free: FreeTier | None) -> float:
    """Price of GB-seconds, all at the price of the first and most expensive tier.

    Source: AWS Lambda pricing, "Duration".

    Args:
        prices: The price table.
        arch: ``x86_64`` or ``arm64``.
        seconds: GB-seconds per month.
        free: The free tier, if it applies.
    """
    each = prices.lambda_.gb_second_arm64 if arch == "arm64" else prices.lambda_.gb_second_x86_64
    return max(0.0, seconds - (free.gb_seconds if free else 0)) * each


def requests_usd(prices: Prices, front: str, requests: float, free: FreeTier | None) -> float:
    """Price of calls, and of an HTTP API's requests.

    Source: AWS Lambda pricing, "Requests"; Amazon API Gateway pricing, "HTTP APIs".

    Args:
        prices: The price table.
        front: ``url`` or ``http-api``.
        requests: Calls per month.
        free: The free tier, if it applies.
    """
    calls = max(0.0, requests - (free.requests if free else 0)) * prices.lambda_.requests_per_million
    # The free tier of API Gateway ends after a year, so it is left out.
    through = requests * prices.http_api.requests_per_million if front == "http-api" else 0.0
    return (calls + through) / 1e6


def monitoring_usd(
    prices: Prices, requests: float, log_bytes: float, metrics: int, free: FreeTier | None
) -> float:
    """Price of the logs, the app's metrics and the alarms.

    Source: Amazon CloudWatch pricing, "Logs", "Metrics" and "Alarms".

    Args:
        prices: The price table.
        requests: Calls per month.
        log_bytes: Bytes logged per call.
        metrics: Number of the app's metrics.
        free: The free tier, if it applies.
    """
    logs = (
        max(0.0, requests * log_bytes / 1e9 - (free.logs_gb if free else 0)) * prices.cloudwatch.logs_per_gb
    )
    counted = max(0, metrics - (free.metrics if free else 0)) * prices.cloudwatch.metric_month
    watched = (
        max(0, ALARM_METRICS - (free.alarm_metrics if free else 0)) * prices.cloudwatch.alarm_metric_month
    )
    return logs + counted + watched
