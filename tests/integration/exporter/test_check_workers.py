"""``check --workers`` with a full model in TensorFlow: the report and the page of one process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter import ExportConfig
from exporter.checking import run_check
from exporter.config.check_config import CheckConfig
from exporter.exporting import export_bundle

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def same_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of latencies, the one thing that differs from run to run."""
    monkeypatch.setattr(
        "exporter.judge.run_artifacts.latencies_ms", lambda engines, pixels: dict.fromkeys(engines, 1.0)
    )


def same_on_workers(workers: int, **options: Any) -> Any:
    alone, found = (
        run_check(CheckConfig(workers=each, **options), page=True, diagnostics=False)
        for each in (None, workers)
    )
    assert found.report == alone.report
    assert found.page == alone.page
    return found.report


@pytest.mark.parametrize("workers", [1, 2])
def test_bundle_of_a_run(exported: Path, workers: int) -> None:
    report = same_on_workers(workers, bundle=exported)
    assert report.reference.top1 > 0.5
    assert len(report.artifacts) > 1


def test_bundle_with_a_cascade_and_rules_from_features(
    saved: Callable[..., Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether it is worth it depends on the CPU.
    monkeypatch.setattr("exporter.exporting.why_not", lambda report: "")
    made = export_bundle(
        ExportConfig(
            saved(), tmp_path / "x.bundle", data=photos, artifacts=("onnx-fp32",), cascade=True, evidence="quick",
            repair="off", weak_reference="allow", golden=4, unknown="auto",
        )
    )  # fmt: skip
    report = same_on_workers(2, bundle=made.bundle.location, data=photos, weak_reference="allow")
    cascade = report.artifacts["tflite-cascade"]
    assert cascade.passed_on is not None
    assert 0.0 < cascade.passed_on <= 1.0
    assert any(found.trial is not None for found in report.artifacts.values())


def test_two_files_of_keras(saved: Callable[..., Path], photos: Path) -> None:
    # Not the photos' size, so that the full model is tried with the other resize too.
    reference, candidate = (saved(shape=(9, 8, 3), seed=seed) for seed in (1, 2))
    report = same_on_workers(
        2, reference=reference, candidate=candidate, data=photos, weak_reference="allow", fit="crop"
    )
    assert any("resiz" in note for note in report.notes)
