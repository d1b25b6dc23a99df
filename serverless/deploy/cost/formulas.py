"""How Lambda's memory becomes processor, time and money. Sources are pages of AWS's documentation.

MB are of 2^20 bytes and a GB has 1,024 of them, as Lambda counts.
"""

from __future__ import annotations

import math

from serverless.deploy.config import ONE_CPU_MB
from serverless.deploy.cost.prices import FreeTier, Prices

MAX_CPUS = 6
"""Processors of a function with the most memory (Lambda: configure function memory)."""

ALARM_METRICS = 3
"""Metrics that the alarms of a deployment without events read: two kinds of errors, and duration."""


def cpus(memory_mb: int) -> float:
    """Processors that a memory size brings: in proportion, 1,769 MB for one, at most 6.

    Source: AWS Lambda Developer Guide, "Configure Lambda function memory".

    Args:
        memory_mb: Of the function.
    """
    return min(memory_mb / ONE_CPU_MB, float(MAX_CPUS))


def scaled_ms(ms_on_one_cpu: float, memory_mb: int) -> float:
    """Time of work that takes so long on one whole processor.

    Below one processor a function gets a part of each slice of time, so work takes
    proportionally longer. Above it one thread gets no faster, and the app infers with one.

    Args:
        ms_on_one_cpu: Of one thread.
        memory_mb: Of the function.
    """
    return ms_on_one_cpu / min(cpus(memory_mb), 1.0)


def billed_ms(ms: float) -> int:
    """Time that is billed: rounded up to a whole millisecond, at least one.

    Source: AWS Lambda pricing, "Duration is calculated ... rounded up to the nearest 1 ms".

    Args:
        ms: That a call took.
    """
    # Else 12.000000000000002, which stands for 12, would be billed as 13.
    return max(1, math.ceil(round(ms, 6)))


def gb_seconds(memory_mb: int, ms: float, calls: float) -> float:
    """What duration is billed by: GB of the function's memory times billed seconds.

    Source: AWS Lambda pricing.

    Args:
        memory_mb: Of the function, used or not.
        ms: That one call takes.
        calls: How many.
    """
    return memory_mb / 1024 * billed_ms(ms) / 1000 * calls


def duration_usd(prices: Prices, arch: str, seconds: float, free: FreeTier | None) -> float:
    """Price of GB-seconds; all at the price of the first tier, the highest.

    Source: AWS Lambda pricing, "Duration".

    Args:
        prices: The table.
        arch: ``x86_64`` or ``arm64``.
        seconds: GB-seconds a month.
        free: What is not billed.
    """
    each = prices.lambda_.gb_second_arm64 if arch == "arm64" else prices.lambda_.gb_second_x86_64
    return max(0.0, seconds - (free.gb_seconds if free else 0)) * each


def requests_usd(prices: Prices, front: str, requests: float, free: FreeTier | None) -> float:
    """Price of calls, and of an HTTP API's requests.

    Source: AWS Lambda pricing, "Requests"; Amazon API Gateway pricing, "HTTP APIs".

    Args:
        prices: The table.
        front: ``url`` or ``http-api``.
        requests: A month.
        free: What is not billed.
    """
    calls = max(0.0, requests - (free.requests if free else 0)) * prices.lambda_.requests_per_million
    # The free tier of API Gateway ends after a year, so it is left out.
    through = requests * prices.http_api.requests_per_million if front == "http-api" else 0.0
    return (calls + through) / 1e6


def monitoring_usd(
    prices: Prices, requests: float, log_bytes: float, metrics: int, free: FreeTier | None
) -> float:
    """Price of what is logged, of the app's metrics and of the alarms.

    Source: Amazon CloudWatch pricing, "Logs", "Metrics" and "Alarms".

    Args:
        prices: The table.
        requests: A month.
        log_bytes: Logged for each.
        metrics: Of the app.
        free: What is not billed.
    """
    logs = (
        max(0.0, requests * log_bytes / 1e9 - (free.logs_gb if free else 0)) * prices.cloudwatch.logs_per_gb
    )
    counted = max(0, metrics - (free.metrics if free else 0)) * prices.cloudwatch.metric_month
    watched = (
        max(0, ALARM_METRICS - (free.alarm_metrics if free else 0)) * prices.cloudwatch.alarm_metric_month
    )
    return logs + counted + watched
