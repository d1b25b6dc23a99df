from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from exporter.judge.baseline_report import BaselineReport, Change
from exporter.judge.verdict import CheckReport
from exporter.report.github import (
    append_for_runner,
    github_annotations,
    output_lines,
    step_summary,
    workflow_command,
)
from exporter.statistics.gate import GateVerdict

Made = Callable[..., CheckReport]


def since(verdict: GateVerdict, **changes: object) -> BaselineReport:
    change = Change(verdict, f"since {verdict}", -0.01, -0.03, 5, 1, -0.005, 900, -0.1)
    fields: dict[str, object] = {
        "verdict": verdict, "margin": 0.02, "artifacts": {"tflite-int8": change}, "added": (), "gone": (),
        "skipped": (), "reference_change": 0.0,
    }  # fmt: skip
    return BaselineReport(**fields | changes)  # type: ignore[arg-type]


def decoded(line: str) -> tuple[str, dict[str, str], str]:
    """What the runner makes of a line: actions/runner, ActionCommand.TryParseV2."""
    found = re.fullmatch(r"::(\w+) ([^\n]*?)::([^\n]*)\n", line)
    assert found is not None, line

    def plain(text: str, codes: dict[str, str]) -> str:
        for code, sign in codes.items():
            text = text.replace(code, sign)
        # Last, as the runner does: an escaped percent sign is no start of an escape.
        return text.replace("%25", "%")

    data = {"%0D": "\r", "%0A": "\n"}
    pairs = [part.partition("=") for part in found[2].split(",")]
    properties = {name: plain(value, data | {"%3A": ":", "%2C": ","}) for name, _, value in pairs}
    return found[1], properties, plain(found[3], data)


@pytest.mark.parametrize(
    "text", ["plain", "100 %, a:b::c", "two\r\nlines", "%0A stays", "::error::no", "ü ✓"]
)
def test_command_arrives_as_it_was_written(text: str) -> None:
    level, properties, message = decoded(workflow_command("error", text, text, text))
    assert (level, message) == ("error", text)
    assert properties == {"file": text, "title": f"snapship check: {text}"}


def test_command_is_one_line_that_cannot_be_two() -> None:
    assert workflow_command("error", "a\n::error::b", "c\n::error::d", "e,f:g").count("\n") == 1


def test_annotations_name_what_did_not_pass(made_report: Made) -> None:
    report = made_report(
        {"a": "pass", "b": "fail", "c": "inconclusive"}, skipped={"d": "no engine for .onnx is installed"}
    )
    lines = github_annotations(report, file="x.bundle").splitlines(keepends=True)
    assert [(decoded(line)[0], decoded(line)[2]) for line in lines] == [
        ("error", "b: because fail"),
        ("warning", "c: because inconclusive"),
        ("notice", "d: not checked, no engine for .onnx is installed"),
    ]
    strict = github_annotations(report, inconclusive="fail").splitlines(keepends=True)
    assert [decoded(line)[0] for line in strict] == ["error", "error", "notice"]
    assert github_annotations(made_report({"a": "pass"})) == ""
    (unmade,) = github_annotations(made_report({"a": "pass"}, unmade={"e": "It must load."})).splitlines(True)
    assert (decoded(unmade)[0], decoded(unmade)[2]) == ("warning", "e: not made. It must load.")


def test_annotations_tell_of_the_baseline(made_report: Made) -> None:
    report = made_report({"tflite-int8": "pass"})
    found = github_annotations(report, baseline=since("fail", gone=("onnx-fp32",)))
    assert "tflite-int8 since the baseline: since fail" in found
    assert "onnx-fp32 since the baseline: it is no longer exported" in found


def test_summary_is_a_table_whose_names_cannot_break_it(made_report: Made) -> None:
    report = made_report(
        {"a|b\n<img src=x>": {"verdict": "fail", "reason": "worse | by\n`much`"}, "c": "pass"},
        skipped={"d": "no engine"},
        unmade={"u": "It must | load."},
    )
    text = step_summary(report, name="x_y.bundle", baseline=since("fail", gone=("e",), added=("f",)))
    assert text.startswith("### snapship check of x\\_y.bundle: ❌ fail\n")
    assert "<img" not in text.replace("\\<img", "")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {7}
    assert "| c | 1.0 kB | 90.00 % | 0.25 (≤ 1.00) | 99.00 % | ✅ pass |" in tables
    assert "| tflite-int8 | -1.00 | 1 / 5 | -0.50 | -10.0 % | ❌ fail |" in tables
    assert "| e | | | | | ❌ no longer exported |" in tables
    assert "| u | | | | | not made: It must \\| load. |" in tables


def test_outputs_are_the_worst_of_all(made_report: Made) -> None:
    report = made_report({"a": {"delta": 0.01}, "b": {"delta": -0.03, "agreement": 0.9}})
    assert output_lines(report) == "verdict=pass\ndrop=0.030000\nagreement=0.900000\nimages=400\n"
    assert output_lines(report, baseline=since("fail")).startswith("verdict=fail\n")
    better = made_report({"a": {"delta": 0.0}})
    assert "drop=0.000000\n" in output_lines(better)


def test_runner_files_are_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    append_for_runner("GITHUB_STEP_SUMMARY", "one\n", {})
    assert not path.exists()
    for text in ("one\n", "two\n"):
        append_for_runner("GITHUB_STEP_SUMMARY", text, {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text() == "one\ntwo\n"
    with pytest.raises(UsageError, match="GITHUB_OUTPUT"):
        append_for_runner("GITHUB_OUTPUT", "x", {"GITHUB_OUTPUT": str(tmp_path / "no" / "folder")})


def test_summary_beyond_what_github_takes_ends_at_a_line(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    append_for_runner(
        "GITHUB_STEP_SUMMARY", "ä" * 99 + "\n" + "ü 1\n" * 400_000, {"GITHUB_STEP_SUMMARY": str(path)}
    )
    assert path.stat().st_size <= 1024 * 1024
    assert path.read_text("utf-8").endswith("ü 1\n")
