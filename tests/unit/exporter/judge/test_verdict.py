from __future__ import annotations

import msgspec
import pytest

from edge_runtime.bundle.manifest import WorstClass
from edge_runtime.bundle.strict_json import decode_json, encode_json
from edge_runtime.common.errors import GateFailedError, InconclusiveError
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


def test_failing_keeps_what_it_failed_for() -> None:
    passed, failed = report("pass", "fail").artifacts.values()
    assert (passed.failing("it overflows").verdict, passed.failing("it overflows").reason) == (
        "fail", "it overflows",
    )  # fmt: skip
    assert failed.failing("it overflows").reason == "because fail; it overflows"
