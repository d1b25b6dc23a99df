"""The page, and what its numbers look like."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from edge_runtime.dataset import ImageSet, Item
from exporter.common.wording import latency_text, size_text
from exporter.evidence.record import (
    GoldenReport,
    RepairReport,
    RepairStep,
)
from exporter.formats.half_precision import Magnitude
from exporter.judge.judge_artifacts import Candidate, Judgement, judge
from exporter.quantize.calibration import CalibrationReport, CalibrationSize, ClippedTensor
from exporter.report.report import flips, render_report
from exporter.report.terminal_tables import print_report
from exporter.source.images import PixelTable

LABELS = tuple("0123456789")


@pytest.fixture
def table() -> PixelTable:
    """Forty gray images of noise, 16x16; class 3 has a name that is markup, and one that is long."""
    labels = ("<script>alert(1)</script>", "long " * 40, *LABELS[2:])
    truth = np.arange(40, dtype=np.int64) % 10
    pixels = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), dtype=np.uint8)
    items = tuple(
        Item(f"val/<i>{index}", int(label), "val", f"{index:064}") for index, label in enumerate(truth)
    )
    return PixelTable(pixels, truth, ImageSet("made", labels, items, lambda item: b""))


def judged(bundle: Path, table: PixelTable, reference: np.ndarray) -> Judgement:
    files = {"tflite-fp32": "digits_fp32.tflite", "tflite-int8": "digits_int8.tflite"}
    candidates = [
        Candidate(name, bundle / file, "tflite", name == "tflite-fp32", 1234) for name, file in files.items()
    ]
    return judge(candidates, reference, table, file="model.keras", sha256="0" * 64, margin=0.02)


def test_page_escapes_names_and_shows_what_changed(digits_bundle: Path, table: PixelTable) -> None:
    with table:
        reference = np.full((40, 10), 0.01, dtype=np.float32)
        reference[np.arange(40), table.truth] = 0.91
        found = judged(digits_bundle, table, reference)
        page = render_report("x.bundle", found, table)
    assert found.report.verdict == "fail"
    assert found.report.artifacts["tflite-int8"].worst_class.delta < 0
    assert "<script>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "24 shown" in page
    assert page.count("data:image/png;base64,") == 24
    assert 'href="#layers"' in page
    assert "://" not in page.replace("http://www.w3.org", "")


STEPS = (
    RepairStep("per-channel int8", True, False, -0.02, 0.91, 0.03, 2_000_000, "<b>start</b>"),
    RepairStep("bias correction", True, True, -0.01, 0.96, 0.02, 2_000_000),
    RepairStep("float operations", False, False, -0.01, 0.93, 0.04, 2_100_000, "two of them"),
)
CALIBRATION = CalibrationReport(
    200, {"ash": 200, "birch": 0}, 50, 0.003, (ClippedTensor("conv<1>", 0.02),),
    (CalibrationSize(50, 0.93, 0.05), CalibrationSize(200, 0.96, 0.02)), Magnitude("pool", 530_684.0, 200),
)  # fmt: skip


def test_every_section_is_there_where_there_is_something_to_say(
    digits_bundle: Path, table: PixelTable, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = np.full((40, 10), 0.01, dtype=np.float32)
    reference[np.arange(40), table.truth] = 0.91
    with table:
        found = judged(digits_bundle, table, reference)
        repaired = {"tflite-int8": RepairReport("tflite-int8", STEPS)}
        report = found.report.with_repairs(repaired, {"tflite-int8": CALIBRATION})
        report = report.with_golden({"tflite-int8": GoldenReport(False, 5, 0.2, 0.05, "1 of 5 differ")})
        report = report.with_unmade({"onnx-int8": "A file must <load>."})
        found = replace(found, report=report.with_pareto("tflite-int8"))
        page = render_report("x.bundle", found, table)
        bare = render_report("x.bundle", without_evidence(found), table)
    ids = re.findall(r'<section class="card" id="([a-z]+)">', page)
    assert ids == [
        "artifacts", "drift", "pareto", "attribution", "repair", "calibration", "layers", "parity", "confidence",
        "engines", "golden", "flips", "classes",
    ]  # fmt: skip
    assert re.findall(r'<a href="#([a-z]+)">', page) == ids
    assert re.findall(r'<section class="card" id="([a-z]+)">', bare) == ["artifacts", "drift", "flips"]
    for words in (
        "bias correction", "96.00 %", "&lt;b&gt;start", "conv&lt;1&gt;", "agreement varies by 3.00 points", "(picked)",
        "1 of 5 differ", "litert, no XNNPACK", "rmse, steps", "temperature", "not made",
        "<strong>onnx-int8</strong> could not be made: A file must &lt;load&gt;.",
    ):  # fmt: skip
        assert words in page
    assert page.count("<svg") == 7
    print_report(found.report)
    printed = capsys.readouterr().out
    assert "onnx-int8: not made. A file must <load>." in printed
    assert "agreement 91.00 -> 96.00 %" in printed
    assert "tflite-int8: repaired by bias correction: floored KL" in printed
    assert "tflite-int8: calibration: no calibration images for 1 of 2 classes, such as birch" in printed
    assert "0.3 % of the activations of other images are clipped" in printed
    assert "agreement varies by 3.00 points between 50 and 200 images" in printed
    assert "the float model overflows in half precision: 530,684 in pool" in printed


def test_gallery_shows_both_score_lists(digits_bundle: Path, table: PixelTable) -> None:
    reference = np.full((40, 10), 0.01, dtype=np.float32)
    reference[np.arange(40), table.truth] = 0.91
    with table:
        found = judged(digits_bundle, table, reference)
        shown, count = flips(found, table)
    changed = sum(np.sum(scores.argmax(1) != table.truth) for scores in found.scores.values())
    assert (len(shown), count) == (24, changed)
    first = shown[0]
    assert first.outcome == "lost"
    assert (len(first.before), len(first.after)) == (3, 3)
    assert (first.before[0].label, first.before[0].right, first.before[0].score) == (
        first.truth, True, pytest.approx(0.91),
    )  # fmt: skip
    assert not first.after[0].right
    assert [one.score for one in first.after] == sorted((one.score for one in first.after), reverse=True)


def without_evidence(found: Judgement) -> Judgement:
    """As a check.json of before there was any."""
    fields = dict.fromkeys(("temperature", "attribution", "layers", "golden", "repair", "calibration"))
    artifacts = {
        name: msgspec.structs.replace(one, **fields, engines=())
        for name, one in found.report.artifacts.items()
    }
    report = msgspec.structs.replace(
        found.report, artifacts=artifacts, classes=(), parity=None, pareto=None,
        reference=msgspec.structs.replace(found.report.reference, temperature=None),
    )  # fmt: skip
    return Judgement(report, found.reference, found.scores)


def test_full_model_without_numbers_is_an_error(digits_bundle: Path, table: PixelTable) -> None:
    reference = np.full((40, 10), 0.1, dtype=np.float32)
    reference[5, 2] = np.nan
    with table, pytest.raises(ModelFileError, match="numbers"):
        judged(digits_bundle, table, reference)


def test_judging_asks_for_the_same_images(digits_bundle: Path, table: PixelTable) -> None:
    with table:
        table.pixels = table.pixels[:, :8]
        with pytest.raises(ModelFileError, match="same model"):
            judged(digits_bundle, table, np.full((40, 10), 0.1, dtype=np.float32))


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0.031, "0.031 ms"), (0.1, "0.10 ms"), (12.5, "12.50 ms"), (1562.5, "1.56 s")],
)
def test_latency_keeps_its_digits(milliseconds: float, text: str) -> None:
    assert latency_text(milliseconds) == text


def test_size_is_decimal() -> None:
    assert [size_text(129_700), size_text(3_900_000)] == ["129.7 kB", "3.90 MB"]
