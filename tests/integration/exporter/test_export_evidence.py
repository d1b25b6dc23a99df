"""What an export measures beside the verdict: by default what explains a disagreement, the rest if asked for."""

from __future__ import annotations

from pathlib import Path

from edge_runtime import Bundle
from exporter import ExportConfig, export
from exporter.judge.saved_report import saved_report
from exporter.judge.verdict import CheckReport
from trainer import Run


def read(bundle: Path) -> tuple[CheckReport, str]:
    report = saved_report(Bundle.open(bundle))
    assert isinstance(report, CheckReport)
    return report, (bundle / "report.html").read_text(encoding="utf-8")


def test_default_explains_disagreements_and_says_how_to_get_the_rest(exported: Path) -> None:
    report, page = read(exported)
    int8 = report.artifacts["tflite-int8"]
    assert int8.attribution is not None
    assert [step.name for step in int8.attribution.steps] == ["conversion", "quantization"]
    assert int8.attribution.skipped == ()
    assert int8.layers is not None
    assert int8.engines == ()
    assert int8.calibration is not None
    assert (int8.calibration.clipped, int8.calibration.sizes) == (None, ())
    assert int8.calibration.largest is not None
    assert 'id="engines"' not in page
    assert "export with --evidence full" in page


def test_full_measures_everything_and_changes_no_file(
    digits_run: Run, exported: Path, tmp_path: Path
) -> None:
    out = tmp_path / "full.bundle"
    config = ExportConfig(
        source=digits_run.path, out=out, artifacts=("tflite-fp32", "tflite-int8"), name="run", evidence="full"
    )
    export(config)
    report, page = read(out)
    int8 = report.artifacts["tflite-int8"]
    assert int8.attribution is not None
    assert [step.name for step in int8.attribution.steps] == ["conversion", "quantization", "engine"]
    # Digits are arrays: there is nothing to decode, and that is said.
    assert "arrays" in int8.attribution.skipped[0]
    assert int8.engines
    assert int8.calibration is not None
    assert int8.calibration.clipped is not None
    assert [size.images for size in int8.calibration.sizes] == [50, 100, 200]
    assert 'id="engines"' in page
    assert "--evidence full" not in page
    usual, _ = read(exported)
    assert int8.top1 == usual.artifacts["tflite-int8"].top1
    assert (out / "run_int8.tflite").read_bytes() == (exported / "run_int8.tflite").read_bytes()
