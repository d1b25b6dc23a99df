"""Check reports made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from edge_runtime.bundle.manifest import WorstClass
from exporter.judge.verdict import ArtifactReport, CheckReport, ReferenceReport
from exporter.statistics.gate import GateVerdict


def artifact(verdict: GateVerdict = "pass", **changes: Any) -> ArtifactReport:
    fields: dict[str, Any] = {
        "verdict": verdict, "reason": f"because {verdict}", "top1": 0.9, "delta": -0.0025, "bound": -0.01,
        "upper": 0.005, "lost": 2, "won": 1, "agreement": 0.99, "kl": 0.001, "max_abs_dp": 0.1, "ece": 0.02,
        "worst_class": WorstClass("a", -0.1), "images_needed": None, "bytes": 1000, "latency_ms": 1.5,
        "engine": "litert",
    }  # fmt: skip
    return ArtifactReport(**fields | changes)


@pytest.fixture
def made_report() -> Callable[..., CheckReport]:
    """Makes a report: ``made_report({"tflite-int8": "fail"}, n=400)``; values may be changes of fields."""

    def make(artifacts: Mapping[str, Any], **changes: Any) -> CheckReport:
        found = {
            name: artifact(given) if isinstance(given, str) else artifact(**given)
            for name, given in artifacts.items()
        }
        order = ("fail", "inconclusive", "pass")
        fields: dict[str, Any] = {
            "verdict": min((one.verdict for one in found.values()), key=order.index),
            "margin": 0.02, "n": 400, "data": "digits", "data_sha256": "0" * 64,
            "reference": ReferenceReport("model.keras", 0.9025, 0.02, "1" * 64),
            "artifacts": found,
        }  # fmt: skip
        return CheckReport(**fields | changes)

    return make
