"""Rows of costs, and which is named the cheapest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import UsageError
from serverless.deploy.config.errors import LimitError
from serverless.deploy.cost import Load, RequestProfile, estimate, read_prices
from serverless.deploy.cost.prices import TABLE

PRICES = read_prices()
MEASURED = RequestProfile("tflite-int8", "a photo", 100, 100.0, 98.0, 150.0, 500.0, 100.0, 1000.0, 4)


def test_row_is_as_computed_by_hand() -> None:
    load = Load(requests=1e6, cold_share=0.01)
    row = estimate(MEASURED, load, PRICES, (1024,)).row(1024)
    # 1769 / 1024 = 1.727539: 173 ms billed of 172.75, starts 864 of 863.77.
    assert row.cpus == pytest.approx(0.578858, abs=1e-6)
    assert row.ms == pytest.approx(169.2988, abs=1e-3)
    assert row.p99_ms == pytest.approx(259.1309, abs=1e-3)
    assert row.gb_seconds == pytest.approx(1e6 * 0.173 + 1e4 * 0.864)
    assert row.duration_usd == pytest.approx(181_640 * 0.0000166667)
    assert row.requests_usd == pytest.approx(0.20)
    # 1 GB of logs, 4 metrics, 3 metrics of alarms.
    assert row.monitoring_usd == pytest.approx(0.50 + 1.20 + 0.30)
    assert row.usd == pytest.approx(row.duration_usd + row.requests_usd + row.monitoring_usd)


def test_size_too_small_for_the_measured_memory_is_never_named() -> None:
    found = estimate(replace(MEASURED, peak_mb=400.0), Load(), PRICES)
    assert {row.memory_mb for row in found.rows if not row.fits} == {128, 256, 512}
    assert found.cheapest_mb is not None
    assert found.cheapest_mb >= 768


def test_latency_limit_leaves_the_cheapest_that_is_fast_enough() -> None:
    found = estimate(MEASURED, Load(p99_ms=200), PRICES)
    # 150 ms x 1769 / 1536 = 172.8; at 1024 it is 259.
    assert {row.memory_mb for row in found.rows if row.fast} >= {1536, 1769, 10240}
    assert not [row for row in found.rows if row.memory_mb <= 1024 and row.fast]
    assert found.cheapest_mb in (1536, 1769)
    assert estimate(MEASURED, Load(p99_ms=149), PRICES).cheapest_mb is None


def test_advice_is_the_fastest_for_about_the_same_money() -> None:
    found = estimate(MEASURED, Load(), PRICES)
    assert found.advised_mb == 1769
    assert found.cheapest_mb is not None
    assert found.row(1769).usd <= 1.05 * found.row(found.cheapest_mb).usd
    # More than one processor costs more and is no faster.
    assert found.row(3008).usd > found.row(1769).usd
    assert found.row(3008).ms == found.row(1769).ms


def test_cheapest_is_the_least_of_those_that_are_good_enough() -> None:
    found = estimate(MEASURED, Load(), PRICES)
    assert found.cheapest_mb is not None
    good = [row for row in found.rows if row.fits and row.fast]
    assert found.row(found.cheapest_mb).usd == min(row.usd for row in good)


def test_arm64_costs_a_fifth_less_for_the_same_time() -> None:
    x86 = estimate(MEASURED, Load(), PRICES, (1769,)).row(1769)
    arm = estimate(MEASURED, Load(arch="arm64"), PRICES, (1769,)).row(1769)
    assert arm.duration_usd / x86.duration_usd == pytest.approx(0.8, abs=1e-5)


def test_given_time_replaces_the_measured_one_and_keeps_its_spread() -> None:
    given = MEASURED.with_ms(40)
    assert (given.mean_ms, given.p50_ms, given.requests) == (40, 40, 0)
    assert given.p99_ms == pytest.approx(60)
    with pytest.raises(UsageError, match="positive"):
        MEASURED.with_ms(0)


@pytest.mark.parametrize(
    "options", [{"requests": -1}, {"requests": float("inf")}, {"cold_share": 1.1}, {"p99_ms": 0}]
)
def test_load_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Received: "):
        Load(**options)


@pytest.mark.parametrize("size", [127, 10241])
def test_size_that_no_function_has_is_refused(size: int) -> None:
    with pytest.raises(LimitError, match="128 to 10240"):
        estimate(MEASURED, Load(), PRICES, (size,))


def test_price_table_says_its_date_and_that_nobody_verified_it() -> None:
    assert len(PRICES.date) == 10
    assert PRICES.source
    assert not PRICES.verified


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gb_second_arm64 = 0.0000133334\n", ""),
        ("[http_api]", "[http_ap]"),
        ("0.0000133334", "'cheap'"),
        ("0.0000133334", "-1.0"),
        ("0.0000133334", "nan"),
        ("date =", "date"),
    ],
)
def test_price_table_with_a_wrong_field_is_refused(tmp_path: Path, old: str, new: str) -> None:
    table = tmp_path / "prices.toml"
    before = TABLE.read_text(encoding="utf-8")
    assert old in before
    table.write_text(before.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError, match=r"prices\.toml"):
        read_prices(table)


def test_price_table_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_prices(tmp_path / "none.toml")
