from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import BundleError, GateFailedError, InconclusiveError, UsageError
from exporter.judge.baseline import (
    AcceptedArtifact,
    Baseline,
    Outcomes,
    compare_with_baseline,
    read_baseline,
    write_baseline,
)
from exporter.judge.verdict import CheckReport
from exporter.statistics.gate import GateVerdict

N = 400
Made = Callable[..., CheckReport]


def right(wrong: int, start: int = 0) -> np.ndarray:
    """All right but ``wrong`` images from ``start`` on."""
    row = np.ones(N, dtype=bool)
    row[start : start + wrong] = False
    return row


def outcomes(**rows: np.ndarray) -> Outcomes:
    return Outcomes("d" * 64, "e" * 64, {name.replace("_", "-"): row for name, row in rows.items()})


@pytest.fixture
def accepted(made_report: Made, tmp_path: Path) -> Baseline:
    """int8 with 40 of 400 images wrong, accepted."""
    path = tmp_path / "baseline.json"
    write_baseline(path, made_report({"tflite-int8": "pass"}), outcomes(tflite_int8=right(40)))
    return read_baseline(path)


@pytest.mark.parametrize(
    ("wrong", "start", "verdict", "words"),
    [
        (40, 0, "pass", "on these 400 images stayed"),
        (10, 0, "pass", "on these 400 images rose"),
        (40, 20, "pass", "20 images won, 20 lost"),
        (41, 0, "pass", "excluded"),
        (46, 0, "inconclusive", "lost 1.50 points"),
        (70, 0, "fail", "lost more than 2 points"),
    ],
)
def test_comparison_is_paired(
    accepted: Baseline, made_report: Made, wrong: int, start: int, verdict: GateVerdict, words: str
) -> None:
    found = compare_with_baseline(
        accepted, made_report({"tflite-int8": "pass"}), outcomes(tflite_int8=right(wrong, start))
    )
    assert found.verdict == found.artifacts["tflite-int8"].verdict == verdict
    assert words in found.artifacts["tflite-int8"].reason
    assert found.artifacts["tflite-int8"].delta == pytest.approx((40 - wrong) / N)


def test_improvement_of_one_image_passes_where_the_gate_could_not_decide(made_report: Made) -> None:
    few = np.array([False, True, True, True, True])
    baseline = Baseline(
        artifacts={"tflite-int8": AcceptedArtifact(agreement=1.0, bytes=9, right="70", top1=0.6)},
        data_sha256="d", n=5, reference_top1=1.0, schema_version=1, truth_sha256="e",
    )  # fmt: skip
    report = made_report({"tflite-int8": "inconclusive"}, n=5)
    found = compare_with_baseline(baseline, report, Outcomes("d", "e", {"tflite-int8": few}))
    assert found.verdict == "pass"


def test_size_is_reported_and_fails_only_with_growth(accepted: Baseline, made_report: Made) -> None:
    bigger = made_report({"tflite-int8": {"bytes": 1200}})
    same = outcomes(tflite_int8=right(40))
    found = compare_with_baseline(accepted, bigger, same)
    assert (found.verdict, found.artifacts["tflite-int8"].growth) == ("pass", pytest.approx(0.2))
    assert compare_with_baseline(accepted, bigger, same, growth=0.25).verdict == "pass"
    failed = compare_with_baseline(accepted, bigger, same, growth=0.1)
    assert failed.verdict == "fail"
    assert "grew by 20.0 %" in failed.artifacts["tflite-int8"].reason


def test_new_artifact_is_noted_and_missing_one_fails(accepted: Baseline, made_report: Made) -> None:
    new = made_report({"tflite-int8": "pass", "onnx-fp32": "pass"})
    rows = outcomes(tflite_int8=right(40), onnx_fp32=right(0))
    found = compare_with_baseline(accepted, new, rows)
    assert (found.verdict, found.added) == ("pass", ("onnx-fp32",))

    # Also where it was tried and could not be made.
    less = made_report({"onnx-fp32": "pass"}, unmade={"tflite-int8": "It must load."})
    gone = compare_with_baseline(accepted, less, rows)
    assert (gone.verdict, gone.gone) == ("fail", ("tflite-int8",))
    with pytest.raises(GateFailedError, match=r"tflite-int8: no longer exported.*--accept"):
        gone.raise_for_verdict("pass")

    unrunnable = made_report({"onnx-fp32": "pass"}, skipped={"tflite-int8": "no engine"})
    noted = compare_with_baseline(accepted, unrunnable, rows)
    assert (noted.verdict, noted.gone, noted.skipped) == ("pass", (), ("tflite-int8",))


@pytest.mark.parametrize(
    ("verdict", "inconclusive", "error"),
    [
        ("inconclusive", "error", InconclusiveError),
        ("inconclusive", "fail", GateFailedError),
        ("inconclusive", "pass", None),
        ("fail", "pass", GateFailedError),
    ],
)
def test_what_a_baseline_exits_with(
    accepted: Baseline, made_report: Made, verdict: str, inconclusive: str, error: type[Exception] | None
) -> None:
    rows = outcomes(tflite_int8=right({"inconclusive": 46, "fail": 70}[verdict]))
    found = compare_with_baseline(accepted, made_report({"tflite-int8": "pass"}), rows)
    if error is None:
        found.raise_for_verdict(inconclusive)
    else:
        with pytest.raises(error, match="tflite-int8: it lost"):
            found.raise_for_verdict(inconclusive)


@pytest.mark.parametrize("changed", ["data", "truth", "n"])
def test_other_images_or_classes_are_refused(accepted: Baseline, made_report: Made, changed: str) -> None:
    rows = outcomes(tflite_int8=right(40))
    other = Outcomes(
        "f" * 64 if changed == "data" else rows.data_sha256,
        "f" * 64 if changed == "truth" else rows.truth_sha256,
        rows.right,
    )
    report = made_report({"tflite-int8": "pass"}, n=399 if changed == "n" else N)
    with pytest.raises(UsageError, match="same images, or make a new baseline with --accept") as caught:
        compare_with_baseline(accepted, report, other, name="b.json")
    assert ("with other classes" in str(caught.value)) == (changed != "data")
    assert "b.json" in str(caught.value)


def test_file_is_the_same_for_the_same_state_and_changes_little(made_report: Made, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    rows = outcomes(tflite_int8=right(40), onnx_fp32=right(4))
    write_baseline(one, made_report({"tflite-int8": "pass", "onnx-fp32": "pass"}), rows)
    # Another order, another machine's latency, another place of the images.
    slower = {"onnx-fp32": {"latency_ms": 7.0}, "tflite-int8": {"latency_ms": 9.0}}
    write_baseline(two, made_report(slower, data="/elsewhere"), rows)
    assert one.read_bytes() == two.read_bytes()

    def keys(found: Any) -> None:
        if isinstance(found, dict):
            assert list(found) == sorted(found)
            for inner in found.values():
                keys(inner)

    keys(json.loads(one.read_text()))
    rows = outcomes(tflite_int8=right(41), onnx_fp32=right(4))
    write_baseline(two, made_report({"tflite-int8": {"top1": 0.8975}, "onnx-fp32": "pass"}), rows)
    changed = set(two.read_text().splitlines()) - set(one.read_text().splitlines())
    assert {line.split(":")[0].strip() for line in changed} == {'"right"', '"top1"'}
    assert not list(tmp_path.glob(".*"))


def test_accepting_keeps_what_cannot_run_here(accepted: Baseline, made_report: Made, tmp_path: Path) -> None:
    report = made_report({"onnx-fp32": "pass"}, skipped={"tflite-int8": "no engine", "coreml": "no engine"})
    path = tmp_path / "next.json"
    write_baseline(path, report, outcomes(onnx_fp32=right(0)), accepted)
    assert set(read_baseline(path).artifacts) == {"tflite-int8", "onnx-fp32"}
    other = Outcomes("f" * 64, "e" * 64, {"onnx-fp32": right(0)})
    write_baseline(path, report, other, accepted)
    assert set(read_baseline(path).artifacts) == {"onnx-fp32"}


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, UsageError, "--accept"),
        ("", BundleError, "schema"),
        ("[]", BundleError, "schema"),
        ('{"n": 1}', BundleError, "required field"),
        ("{}x", BundleError, "--accept"),
        ("VERSION", BundleError, "schema 2"),
        ("EXTRA", BundleError, "unknown field"),
        ("ZERO", BundleError, "with images and files"),
    ],
)
def test_missing_or_damaged_file_is_one_error_with_the_cure(
    accepted: Baseline, tmp_path: Path, text: str | None, error: type[Exception], words: str
) -> None:
    good = (tmp_path / "baseline.json").read_text()
    texts = {
        "VERSION": good.replace('"schema_version": 1', '"schema_version": 2'),
        "EXTRA": good.replace('"n":', '"more": 1, "n":'),
        "ZERO": good.replace('"bytes": 1000', '"bytes": 0'),
    }
    path = tmp_path / "other.json"
    if text is not None:
        path.write_text(texts.get(text, text))
    with pytest.raises(error, match=words) as caught:
        read_baseline(path)
    assert "--accept" in str(caught.value)
    assert "\n" not in str(caught.value)
