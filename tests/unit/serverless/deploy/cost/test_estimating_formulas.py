"""Formulas of the cost, against figures computed by hand."""

from __future__ import annotations

import pytest

from serverless.deploy.cost import estimating, read_prices

PRICES = read_prices()


@pytest.mark.parametrize(
    ("memory_mb", "cpus"), [(1769, 1.0), (3538, 2.0), (128, 128 / 1769), (10240, 10240 / 1769)]
)
def test_cpus_are_in_proportion_to_memory(memory_mb: int, cpus: float) -> None:
    assert estimating.cpus(memory_mb) == pytest.approx(cpus)
    assert estimating.cpus(memory_mb) <= 6


def test_time_grows_below_one_processor_and_stays_above() -> None:
    # 1769 / 512 = 3.455
    assert estimating.scaled_ms(100, 512) == pytest.approx(345.508, abs=1e-3)
    assert estimating.scaled_ms(100, 1769) == 100
    assert estimating.scaled_ms(100, 10240) == 100


@pytest.mark.parametrize(
    ("ms", "billed"), [(0.1, 1), (1, 1), (1.0001, 2), (12.000000000000002, 12), (99.5, 100)]
)
def test_time_is_billed_by_the_whole_millisecond(ms: float, billed: int) -> None:
    assert estimating.billed_ms(ms) == billed


def test_gb_seconds_are_memory_times_billed_time() -> None:
    # The figure of AWS's own example: 512 MB, 300 ms, one million calls -> 150,000 GB-s.
    assert estimating.gb_seconds(512, 300, 1e6) == pytest.approx(150_000)
    # 1.5 GB for 120 ms, three million times: 540,000 GB-s.
    assert estimating.gb_seconds(1536, 119.2, 3e6) == pytest.approx(540_000)


@pytest.mark.parametrize(
    ("arch", "free", "usd"),
    [
        # 540,000 x 0.0000166667 and x 0.0000133334
        ("x86_64", False, 9.000018),
        ("arm64", False, 7.200036),
        # 140,000 left over 400,000
        ("x86_64", True, 2.333338),
        ("arm64", True, 1.866676),
    ],
)
def test_duration_is_priced_by_architecture(arch: str, free: bool, usd: float) -> None:
    tier = PRICES.free_tier if free else None
    assert estimating.duration_usd(PRICES, arch, 540_000, tier) == pytest.approx(usd, abs=1e-6)


@pytest.mark.parametrize(
    ("front", "free", "usd"),
    [("url", False, 0.60), ("url", True, 0.40), ("http-api", False, 3.60), ("http-api", True, 3.40)],
)
def test_requests_are_priced_by_the_million(front: str, free: bool, usd: float) -> None:
    tier = PRICES.free_tier if free else None
    assert estimating.requests_usd(PRICES, front, 3e6, tier) == pytest.approx(usd)


def test_monitoring_is_logs_metrics_and_alarms() -> None:
    # 3e6 x 800 bytes = 2.4 GB x 0.50, 4 metrics x 0.30, 3 metrics of alarms x 0.10
    assert estimating.monitoring_usd(PRICES, 3e6, 800, 4, None) == pytest.approx(1.2 + 1.2 + 0.3)
    assert estimating.monitoring_usd(PRICES, 3e6, 800, 4, PRICES.free_tier) == 0
    # 20e6 x 800 = 16 GB, of which 5 are free.
    assert estimating.monitoring_usd(PRICES, 20e6, 800, 12, PRICES.free_tier) == pytest.approx(5.5 + 0.6)


def test_nothing_costs_less_than_nothing() -> None:
    assert estimating.duration_usd(PRICES, "x86_64", 1, PRICES.free_tier) == 0
    assert estimating.requests_usd(PRICES, "url", 1, PRICES.free_tier) == 0
