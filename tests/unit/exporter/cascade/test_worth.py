"""Which cascades are left out of an export, and why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.cascade.worth import why_not
from exporter.judge.verdict import CheckReport

Maker = Callable[..., CheckReport]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"agreement": 0.995, "passed_on": 0.2, "latency_ms": 3.0}, ""),
        ({"agreement": 0.99, "passed_on": 0.1, "latency_ms": 3.0}, "99.00% of "),
        ({"agreement": 1.0, "passed_on": 0.0, "latency_ms": 3.0}, "Ship tflite-int8 alone."),
        (
            {"agreement": 1.0, "passed_on": 0.21, "latency_ms": 3.0},
            "at most 20% of the images. Received: 21.0%",
        ),
        (
            {"agreement": 1.0, "passed_on": 0.1, "latency_ms": 4.0},
            "must be faster than tflite-fp32. Received: 4.00 ms",
        ),
    ],
)
def test_reason(made_report: Maker, found: dict[str, float], why: str) -> None:
    reason = why_not(made_report({"tflite-fp32": {"latency_ms": 4.0}, "tflite-cascade": found}))
    assert why in reason
    assert bool(reason) == bool(why)
    assert "\n" not in reason
