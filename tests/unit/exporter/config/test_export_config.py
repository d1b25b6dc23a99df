"""What can be exported, and which artifact is the best, from reports made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_runtime.common.errors import GateFailedError, InconclusiveError, UnknownNameError, UsageError
from exporter.config.export_config import Best, ExportConfig, pick, valid_name, why
from exporter.formats.kinds import KINDS, parse_kinds
from exporter.judge.verdict import CheckReport

Made = Callable[..., CheckReport]


def test_pick_takes_the_smallest_or_the_fastest_that_passes(made_report: Made) -> None:
    report = made_report(
        {
            "tflite-fp32": {"bytes": 4000, "latency_ms": 2.0},
            "tflite-dynamic": {"bytes": 1000, "latency_ms": 3.0},
            "onnx-int8": {"bytes": 1100, "latency_ms": 1.0},
            "tflite-int8": {"verdict": "fail", "bytes": 900, "latency_ms": 0.5},
            "onnx-fp16": {"verdict": "inconclusive", "bytes": 800, "latency_ms": 0.4},
        }
    )
    assert pick(report.artifacts, "size", 0.02) == "tflite-dynamic"
    assert pick(report.artifacts, "latency", 0.02) == "onnx-int8"


def test_pick_of_equals_is_the_smaller_then_the_better(made_report: Made) -> None:
    report = made_report({"a": {"bytes": 1001}, "b": {"bytes": 1000}, "c": {"bytes": 1000, "top1": 0.91}})
    assert pick(report.artifacts, "latency", 0.02) == "c"
    assert pick(report.artifacts, "size", 0.02) == "c"


@pytest.mark.parametrize("best", ["size", "latency"])
def test_pick_of_failures_is_a_failure(made_report: Made, best: str) -> None:
    report = made_report({"a": "fail", "b": "fail"})
    with pytest.raises(GateFailedError, match=r"within 1 points.*a: fail, because fail; b: fail") as caught:
        pick(report.artifacts, best, 0.01)  # type: ignore[arg-type]
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)


def test_pick_of_failures_and_doubts_is_a_doubt(made_report: Made) -> None:
    report = made_report({"a": "fail", "b": "inconclusive"})
    with pytest.raises(InconclusiveError, match="b: inconclusive") as caught:
        pick(report.artifacts, "size", 0.02)
    assert caught.value.exit_code == 3


def test_why_names_what_was_picked_and_how_many_were_tried(made_report: Made) -> None:
    report = made_report({"a": "pass", "b": {"bytes": 2_000_000, "latency_ms": 0.5}}).with_pareto("b")
    assert report.pareto is not None
    assert why(report.pareto.points).startswith("Picked b (2.00 MB, 0.50 ms) of 2 tried")


def test_kinds_keep_the_order_of_tables() -> None:
    assert [kind.name for kind in parse_kinds(["onnx-fp32", "tflite-fp32", "onnx-fp32"])] == [
        "tflite-fp32",
        "onnx-fp32",
    ]
    assert KINDS["tflite-int8"].file("flowers") == "flowers_int8.tflite"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"artifacts": ("tflite-int4",)}, UnknownNameError, "tflite-fp32"),
        ({"artifacts": ()}, UsageError, "artifact"),
        ({"calibration": 0}, UsageError, "calibration"),
        ({"golden": -1}, UsageError, "golden"),
        ({"margin": 0.0}, UsageError, "margin"),
        ({"name": "a/b"}, UsageError, "name"),
    ],
)
def test_config_refuses_before_anything_slow(
    options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ExportConfig(source="runs/x", out="x.bundle", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a b", "ä", "a" * 81, "a\\b"])
def test_names_that_are_no_file_names(name: str) -> None:
    assert not valid_name(name)


@pytest.mark.parametrize(
    ("artifacts", "best", "named"),
    [
        (None, None, set()),
        (("all",), None, set()),
        (("ALL", "w8a16"), None, {"tflite-int16x8"}),
        (("tflite_int8", "onnx"), None, {"tflite-int8", "onnx-fp32"}),
        (("tflite-int8",), "size", set()),
    ],
)
def test_kinds_that_were_named_one_by_one(
    artifacts: tuple[str, ...] | None, best: Best | None, named: set[str]
) -> None:
    config = ExportConfig("run", "out", best=best)
    if artifacts is not None:
        config = replace(config, artifacts=artifacts)
    assert config.named == named
