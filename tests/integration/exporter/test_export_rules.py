"""Rules of a real export: in the manifest, in the reports, and missing where there are too few images."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime import Bundle
from edge_runtime.common.errors import DataError
from exporter import check
from exporter.check_cli import check as check_command
from exporter.cli import export as export_command
from exporter.judge.saved_report import saved_report
from trainer import Run


@pytest.fixture(scope="module")
def ruled(digits_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bundle with rules of a float and a quantized artifact, and what the export printed."""
    out = tmp_path_factory.mktemp("ruled") / "digits.bundle"
    words = [
        str(digits_run.path),
        "--out",
        str(out),
        "--artifacts",
        "tflite-fp32,tflite-int8",
        "--evidence",
        "quick",
    ]
    found = CliRunner().invoke(
        export_command, [*words, "--max-error", "5%", "--sets", "90%", "--unknown", "auto"]
    )
    assert found.exception is None, found.output
    return out, found.output


def test_manifest_holds_rules_and_reference_of_every_artifact(ruled: tuple[Path, str]) -> None:
    out, printed = ruled
    bundle = Bundle.open(out)
    assert bundle.manifest.schema_version == 2
    report = saved_report(bundle)
    assert report is not None
    for entry in bundle.manifest.artifacts:
        assert entry.rules is not None
        assert entry.reference is not None
        assert entry.rules.data_sha256 == report.data_sha256
        assert entry.rules.images == entry.reference.images == report.n
        assert entry.rules.abstain is not None
        assert entry.rules.sets is not None
        recorded = report.artifacts[entry.kind].rules
        assert recorded is not None
        assert recorded.chose_epoch
        assert recorded.abstain is not None
        assert recorded.known is not None
        assert recorded.known.rule == entry.rules.known
        assert recorded.known.known == entry.reference.known
        assert recorded.known.bytes == len(bundle.rule_file(entry) or b"")
        assert entry.rules.model_sha256 == hashlib.sha256((out / entry.file).read_bytes()).hexdigest()
        assert recorded.abstain.rule == entry.rules.abstain
        assert recorded.abstain.curve[-1].answered == recorded.known.known - 1
    assert "which also chose the epoch" in printed
    assert "nearest ≥ " in printed
    assert "Which images to refuse" in (out / "report.html").read_text(encoding="utf-8")
    assert 'id="rules"' in (out / "report.html").read_text(encoding="utf-8")


def test_check_shows_how_the_rules_do(ruled: tuple[Path, str]) -> None:
    out, _ = ruled
    report = check(out, quick=True)
    for entry in Bundle.open(out).manifest.artifacts:
        trial = report.artifacts[entry.kind].trial
        assert trial is not None
        assert entry.reference is not None
        assert trial.known == entry.reference.known
        assert trial.answered == entry.reference.answered
        assert trial.covered is not None
        assert trial.covered >= 0.9 * report.n
    assert "Its rules on these images:" in CliRunner().invoke(check_command, [str(out), "--quick"]).output


def test_without_rules_nothing_of_schema_2_is_written(exported: Path) -> None:
    assert Bundle.open(exported).manifest.schema_version == 1
    text = (exported / "manifest.json").read_text() + (exported / "check.json").read_text()
    newer = (
        '"rules"',
        '"reference": {\n      "images"',
        '"trial"',
        '"outputs"',
        '"passed_on"',
        '"stop"',
        '"sequential"',
    )
    for word in newer:
        assert word not in text
    assert 'id="rules"' not in (exported / "report.html").read_text(encoding="utf-8")


def test_a_missing_rule_is_an_error_and_the_bundle_is_written(digits_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "digits.bundle"
    words = [str(digits_run.path), "--out", str(out), "--artifacts", "tflite-fp32", "--evidence", "quick"]
    found = CliRunner().invoke(export_command, [*words, "--max-error", "0.01%", "--sets", "90%"])
    assert isinstance(found.exception, DataError)
    assert found.exception.exit_code == 2
    assert "are missing" in str(found.exception) or "would not help" in str(found.exception)
    (entry,) = Bundle.open(out).manifest.artifacts
    assert entry.rules is not None
    assert entry.rules.abstain is None
    assert entry.rules.sets is not None
