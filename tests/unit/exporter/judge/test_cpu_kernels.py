"""What becomes of a verdict where an artifact's answers depend on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import exporter.judge.cpu_kernels
from edge_runtime.common.errors import InconclusiveError
from exporter.evidence.record import KernelsReport
from exporter.judge.cpu_kernels import kernels_text, with_kernels
from exporter.judge.verdict import CheckReport
from exporter.report.terminal_tables import print_report
from exporter.statistics.gate import GateVerdict

MakeReport = Callable[..., CheckReport]

RISKY = KernelsReport(4, 1, "dense", changed=0, exact_top1=0.9, exact_verdict="pass", max_abs_dp=0.0)
SATURATED = KernelsReport(4, 1, "dense", changed=9, exact_top1=0.9, exact_verdict="pass", max_abs_dp=0.5)


@pytest.fixture
def saturates(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes this CPU one of the two kinds."""
    return lambda answer: monkeypatch.setattr(exporter.judge.cpu_kernels, "kernels_saturate", lambda: answer)


@pytest.mark.parametrize(
    ("before", "cpu_saturates", "exact", "after"),
    [
        ("pass", False, "pass", "inconclusive"),
        ("pass", False, "fail", "inconclusive"),
        ("fail", False, "pass", "fail"),
        ("pass", True, "pass", "pass"),
        ("pass", True, "fail", "fail"),
        ("inconclusive", True, "pass", "inconclusive"),
        ("fail", True, "pass", "fail"),
    ],
)
def test_the_worse_verdict_counts(
    made_report: MakeReport,
    saturates: Callable[[bool], None],
    before: GateVerdict,
    cpu_saturates: bool,
    exact: GateVerdict,
    after: GateVerdict,
) -> None:
    saturates(cpu_saturates)
    one = made_report({"onnx-int8": before}).artifacts["onnx-int8"]
    kernels = KernelsReport(4, 1, "dense", changed=9, exact_top1=0.9, exact_verdict=exact, max_abs_dp=0.5)
    found = with_kernels(one, kernels)
    assert (found.verdict, found.kernels) == (after, kernels)
    assert (kernels_text(kernels) in found.reason) == (after == "inconclusive" or before != after)
    assert (one.reason in found.reason) == (before == after)


@pytest.mark.parametrize("cpu_saturates", [True, False])
def test_without_exact_kernels_no_cpu_can_tell(
    made_report: MakeReport, saturates: Callable[[bool], None], cpu_saturates: bool
) -> None:
    saturates(cpu_saturates)
    found = with_kernels(
        made_report({"onnx-int8": "pass"}).artifacts["onnx-int8"], KernelsReport(4, 1, "dense")
    )
    assert found.verdict == "inconclusive"
    assert "x86 CPUs without VNNI may give other answers" in found.reason


def test_what_fits_changes_nothing(made_report: MakeReport, saturates: Callable[[bool], None]) -> None:
    saturates(False)
    one = made_report({"onnx-int8": "pass"}).artifacts["onnx-int8"]
    assert with_kernels(one, None) == one
    assert with_kernels(one, KernelsReport(4, 0)).verdict == "pass"


def test_too_few_images_are_named_before_the_cpu(
    made_report: MakeReport, saturates: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    saturates(False)
    few = {"verdict": "inconclusive", "bound": -0.05, "images_needed": 149}
    report = made_report({"onnx-int8": few})
    found = with_kernels(report.artifacts["onnx-int8"], RISKY)
    assert found.images_needed == 149
    report = made_report({"onnx-int8": {name: getattr(found, name) for name in (*few, "reason", "kernels")}})
    with pytest.raises(
        InconclusiveError, match=r"needs enough labelled images.*because inconclusive; products"
    ):
        report.raise_for_verdict()
    print_report(report)
    assert capsys.readouterr().out.count("can pass 16 bits") == 1


def test_enough_images_leave_only_the_cpu(made_report: MakeReport, saturates: Callable[[bool], None]) -> None:
    saturates(False)
    found = with_kernels(made_report({"onnx-int8": "pass"}).artifacts["onnx-int8"], SATURATED)
    report = made_report({"onnx-int8": {"verdict": found.verdict, "kernels": found.kernels}})
    with pytest.raises(InconclusiveError, match="the same answers on every CPU"):
        report.raise_for_verdict()
