from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from edge_runtime.bundle.manifest import WorstClass, decode_json, encode_json
from edge_runtime.common.errors import GateFailedError, InconclusiveError, UnknownNameError, UsageError
from exporter.config.export_config import Best, ExportConfig, valid_name
from exporter.formats.kinds import KINDS, parse_kinds
from exporter.judge.verdict import ArtifactReport, CheckReport, ReferenceReport
from exporter.statistics.gate import GateVerdict


def report(*verdicts: GateVerdict) -> CheckReport:
    artifacts = {
        f"kind-{index}": ArtifactReport(
            verdict, f"because {verdict}", 0.9, 0.0, -0.01, 0.01, 1, 1, 0.99, 0.001, 0.1, 0.02,
            WorstClass("a", -0.1), None, 1000, 1.5, "litert",
        )
        for index, verdict in enumerate(verdicts)
    }  # fmt: skip
    return CheckReport(
        verdicts[0],
        0.02,
        400,
        "digits",
        "0" * 64,
        ReferenceReport("model.keras", 0.9, 0.02, "1" * 64),
        artifacts,
    )


@pytest.mark.parametrize(
    ("verdicts", "inconclusive", "error", "code"),
    [
        (("pass", "pass"), "error", None, 0),
        (("pass", "fail"), "error", GateFailedError, 1),
        (("fail", "inconclusive"), "pass", GateFailedError, 1),
        (("inconclusive", "pass"), "error", InconclusiveError, 3),
        (("inconclusive",), "fail", GateFailedError, 1),
        (("inconclusive",), "pass", None, 0),
    ],
)
def test_what_a_verdict_exits_with(
    verdicts: tuple[GateVerdict, ...], inconclusive: str, error: type[Exception] | None, code: int
) -> None:
    if error is None:
        report(*verdicts).raise_for_verdict(inconclusive)
        return
    with pytest.raises(error) as caught:
        report(*verdicts).raise_for_verdict(inconclusive)
    assert caught.value.exit_code == code  # type: ignore[attr-defined]
    assert "\n" not in str(caught.value)


def test_report_survives_writing_and_reading() -> None:
    written = report("pass", "fail")
    assert decode_json(encode_json(written), CheckReport, "check.json") == written
    plain = written.to_dict()
    assert {"verdict", "margin", "n", "reference", "artifacts"} <= set(plain)
    assert {
        "verdict", "top1", "delta", "bound", "lost", "won", "agreement", "kl", "max_abs_dp", "ece", "worst_class",
        "bytes", "latency_ms",
    } <= set(plain["artifacts"]["kind-0"])  # fmt: skip
    assert msgspec.json.encode(plain)


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
def test_kinds_that_were_asked_for_one_by_one(
    artifacts: tuple[str, ...] | None, best: Best | None, named: set[str]
) -> None:
    config = ExportConfig("run", "out", best=best)
    if artifacts is not None:
        config = replace(config, artifacts=artifacts)
    assert config.named == named


def test_failing_keeps_what_it_failed_for() -> None:
    passed, failed = report("pass", "fail").artifacts.values()
    assert (passed.failing("it overflows").verdict, passed.failing("it overflows").reason) == (
        "fail", "it overflows",
    )  # fmt: skip
    assert failed.failing("it overflows").reason == "because fail; it overflows"
