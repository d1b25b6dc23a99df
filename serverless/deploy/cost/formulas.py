"""From Lambda's memory to CPU, time and money. The sources are pages of AWS's documentation.

As Lambda counts, an MB has 2^20 bytes and a GB has 1,024 MB.
"""

from __future__ import annotations

import math

from serverless.deploy.config import ONE_CPU_MB
from serverless.deploy.cost.prices import FreeTier, Prices

MAX_CPUS = 6
"""vCPUs of a function with maximum memory (Lambda: configure function memory)."""

ALARM_METRICS = 3
"""Metrics that the alarms of a deployment without events watch: two kinds of errors, and duration."""


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
