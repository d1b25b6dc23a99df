"""Exports with ``--cascade``, of a model that takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime import Bundle, Classifier, selftest
from edge_runtime.common.errors import DataError, UsageError
from exporter import ExportConfig, check
from exporter.cli import export as command
from exporter.exporting import export_bundle
from exporter.judge.saved_report import saved_report
from exporter.judge.verdict import CheckReport


def asked(source: Path, photos: Path, out: Path) -> list[str]:
    return [
        str(source), "--out", str(out), "--data", str(photos), "--artifacts", "onnx-fp32", "--cascade",
        "--evidence", "quick", "--repair", "off", "--weak-reference", "allow", "--golden", "4",
    ]  # fmt: skip


def test_bundle_has_both_files_and_the_gates_verdict(
    saved: Callable[..., Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether it is worth it depends on the CPU; see the unit tests.
    monkeypatch.setattr("exporter.exporting.why_not", lambda report: "")
    out = tmp_path / "x.bundle"
    done = CliRunner().invoke(command, asked(saved(), photos, out), catch_exceptions=False)
    assert "tflite-cascade: passes " in done.output
    bundle = Bundle.open(out)
    assert [entry.kind for entry in bundle.entries] == [
        "tflite-fp32",
        "tflite-int8",
        "onnx-fp32",
        "tflite-cascade",
    ]
    cascade = bundle.manifest.cascade
    assert cascade is not None
    assert cascade.metrics is not None
    assert cascade.metrics.n == 24
    assert cascade.verdict != "unchecked"
    report = saved_report(bundle)
    assert report is not None
    assert report.artifacts["tflite-cascade"].passed_on == cascade.passed_on
    assert report.pareto is not None
    assert "tflite-cascade" in {point.name for point in report.pareto.points}
    assert "of the images on to its second file" in bundle.read("report.html").decode()
    assert selftest(bundle).passed
    repeated = check(out, data=photos, quick=True, weak_reference="allow").artifacts["tflite-cascade"]
    assert (repeated.top1, repeated.agreement, repeated.passed_on) == (
        cascade.metrics.top1, cascade.metrics.agreement, cascade.passed_on,
    )  # fmt: skip
    with Classifier.open(bundle, "tflite-cascade", allow_failed=True) as classifier:
        assert classifier.classify(photos / "val" / "oak" / "0.png").top.label


def test_one_that_is_not_worth_it_is_left_out_with_the_reason(
    saved: Callable[..., Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(report: CheckReport) -> str:
        assert "tflite-cascade" in report.artifacts
        return "A cascade must be faster."

    monkeypatch.setattr("exporter.exporting.why_not", slow)
    out = tmp_path / "x.bundle"
    done = CliRunner().invoke(command, asked(saved(), photos, out), catch_exceptions=False)
    # What it is worth was measured, as asked: no error.
    assert done.exit_code == 0
    assert "tflite-cascade: not made. A cascade must be faster." in done.output
    bundle = Bundle.open(out)
    assert bundle.manifest.cascade is None
    assert '"schema_version": 1' in bundle.read("manifest.json").decode()
    report = saved_report(bundle)
    assert report is not None
    assert report.parity is not None
    assert list(report.unmade) == ["tflite-cascade"]
    assert "tflite-cascade" not in (*report.artifacts, *report.parity.names)
    assert all("tflite-cascade" not in row.artifacts for row in report.classes)


@pytest.mark.parametrize("other", [{"best": "size"}, {"check": False}])
def test_what_contradicts_a_cascade_is_refused_at_once(tmp_path: Path, other: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="--cascade with"):
        ExportConfig(source=tmp_path, out=tmp_path / "x", cascade=True, **other)  # type: ignore[arg-type]


def test_cascade_without_judging_images_is_refused(
    saved: Callable[..., Path], photos: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("ash\nbirch\noak\nzelkova\n", encoding="utf-8")
    with pytest.raises(DataError, match="Pass --data"):
        export_bundle(
            ExportConfig(
                source=saved(), out=tmp_path / "x.bundle", labels=labels, calibration_data=photos / "train",
                cascade=True,
            )
        )  # fmt: skip
    assert not (tmp_path / "x.bundle").exists()
