"""Verdicts and diagnostics of real files on real interpreters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Bundle
from edge_runtime.bundle.strict_json import decode_json, encode_json
from edge_runtime.common.errors import DataError, ModelFileError
from edge_runtime.dataset import open_dataset
from edge_runtime.engines import Engine, open_engine
from exporter.bundle.golden_files import replay_golden
from exporter.evidence import DiagnosticOptions
from exporter.evidence.engines import thread_counts
from exporter.evidence.layers import layer_reports, open_pair
from exporter.judge.judge_artifacts import Judgement, judge
from exporter.judge.verdict import CheckReport
from exporter.report.report import render_report
from exporter.source.candidate import Candidate, float_sibling
from exporter.source.images import PixelTable, balanced, decode_table

KINDS = {
    "tflite-fp32": "digits_fp32.tflite",
    "tflite-int8": "digits_int8.tflite",
    "onnx-fp32": "digits_fp32.onnx",
}


@pytest.fixture(scope="module")
def table(digits_bundle: Path) -> Iterator[PixelTable]:
    images = balanced(open_dataset("digits").only("val"), 60)
    with decode_table(images, Bundle.open(digits_bundle).manifest.input) as table:
        yield table


@pytest.fixture(scope="module")
def reference(digits_bundle: Path, table: PixelTable) -> np.ndarray:
    """The float file stands in for the full model: nothing here loads TensorFlow."""
    engine = open_engine(digits_bundle / KINDS["tflite-fp32"], "tflite", "full")
    return np.stack([engine.run(np.asarray(image)) for image in table.pixels])


def candidates(bundle: Path) -> list[Candidate]:
    return [
        Candidate(kind, bundle / file, "onnx" if kind.startswith("onnx") else "tflite", kind.endswith("fp32"), 1000)
        for kind, file in KINDS.items()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def found(digits_bundle: Path, table: PixelTable, reference: np.ndarray) -> Judgement:
    return judge(
        candidates(digits_bundle), reference, table, file="model.keras", sha256="0" * 64, margin=0.02,
        input=Bundle.open(digits_bundle).manifest.input,
    )  # fmt: skip


def test_evidence_of_the_int8_file_is_complete(found: Judgement) -> None:
    int8 = found.report.artifacts["tflite-int8"]
    assert int8.missing == ()
    assert int8.attribution is not None
    names = [step.name for step in int8.attribution.steps]
    assert names == ["conversion", "quantization", "engine"]
    differ = int(np.sum(found.scores["tflite-int8"].argmax(1) != found.reference.argmax(1)))
    assert sum(step.share or 0 for step in int8.attribution.steps) == int8.attribution.disagreements == differ
    # Digits are arrays: there is nothing to decode, and that is said.
    assert "arrays" in int8.attribution.skipped[0]
    assert int8.layers is not None
    assert int8.layers.float_file == "tflite-fp32"
    assert int8.layers.tensors == len(found.tensors["tflite-int8"]) >= 5
    assert found.report.artifacts["tflite-fp32"].layers is None
    assert {row.threads for row in int8.engines} == set(thread_counts())
    usual = [row for row in int8.engines if row.engine == "litert"]
    assert {row.agreement for row in usual} == {1.0}
    assert [row.engine for row in int8.engines].count("litert, no XNNPACK") == len(thread_counts())


def test_report_survives_writing_and_reading(found: Judgement) -> None:
    assert decode_json(encode_json(found.report), CheckReport, "check.json") == found.report


def test_old_check_reads_without_evidence(digits_bundle: Path) -> None:
    report = decode_json((digits_bundle / "check.json").read_bytes(), CheckReport, "check.json")
    assert report.parity is None
    assert report.artifacts["tflite-int8"].attribution is None


def test_parity_and_classes_of_the_float_files(found: Judgement) -> None:
    parity = found.report.parity
    assert parity is not None
    assert parity.agreement[parity.names.index("tflite-fp32")][parity.names.index("onnx-fp32")] == 1.0
    assert [row.label for row in found.report.classes] == [str(digit) for digit in range(10)]
    assert sum(row.n for row in found.report.classes) == 60


def test_quick_leaves_the_slow_parts_out(
    digits_bundle: Path, table: PixelTable, reference: np.ndarray
) -> None:
    quick = judge(
        candidates(digits_bundle), reference, table, file="m", sha256="0" * 64, margin=0.02,
        diagnostics=DiagnosticOptions.quick(),
    ).report.artifacts["tflite-int8"]  # fmt: skip
    assert (quick.attribution, quick.engines, quick.layers) == (None, (), None)
    assert quick.temperature is not None


def test_missing_class_is_an_error_and_can_be_allowed(
    digits_bundle: Path, table: PixelTable, reference: np.ndarray
) -> None:
    kept = table.truth != 4
    items = tuple(item for item, keep in zip(table.images.items, kept, strict=True) if keep)
    less = replace(
        table, pixels=np.asarray(table.pixels)[kept], truth=table.truth[kept], images=replace(table.images, items=items)
    )  # fmt: skip

    def judged(**options: object) -> Judgement:
        return judge(
            candidates(digits_bundle)[:1], reference[kept], less, file="m", sha256="0" * 64, margin=0.02,
            diagnostics=DiagnosticOptions.quick(), **options,
        )  # type: ignore[arg-type]  # fmt: skip

    with pytest.raises(DataError, match="'4'"):
        judged()
    allowed = judged(missing_classes="allow")
    assert allowed.report.missing_classes == ("4",)
    assert "no images: 1 of 10 classes: 4" in render_report("x", allowed, less)


class _Broken:
    """An engine whose scores are no numbers on some images, as a bad conversion gives."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.input, self.output = engine.name, engine.input, engine.output

    def run(self, pixels: np.ndarray) -> np.ndarray:
        scores = self._engine.run(pixels)
        return scores * np.float32("nan") if scores.argmax() == 3 else scores

    def close(self) -> None:
        self._engine.close()


def test_scores_that_are_no_numbers_are_an_error(
    digits_bundle: Path, table: PixelTable, reference: np.ndarray
) -> None:
    path = digits_bundle / KINDS["tflite-fp32"]
    broken = Candidate(
        "bad", path, "tflite", False, 1, lambda threads, exact: _Broken(open_engine(path, "tflite", "bad"))
    )
    bad = int(np.sum(reference.argmax(axis=1) == 3))
    with pytest.raises(ModelFileError, match=rf"NaN.*from bad on {bad} of 60 images"):
        judge([broken], reference, table, file="m", sha256="0" * 64, margin=0.02)


def test_formats_without_engine_are_skipped_with_the_reason(
    digits_bundle: Path, table: PixelTable, reference: np.ndarray
) -> None:
    elsewhere = Candidate("coreml", b"", "coreml", False, 1)
    found = judge(
        [*candidates(digits_bundle)[:1], elsewhere], reference, table, file="m", sha256="0" * 64, margin=0.02,
        diagnostics=DiagnosticOptions.quick(),
    )  # fmt: skip
    assert "coreml" not in found.report.artifacts
    assert "no engine" in found.report.skipped["coreml"]


def test_float_sibling_is_of_the_same_format(digits_bundle: Path) -> None:
    fp32, int8, onnx = candidates(digits_bundle)
    array = Candidate("c-array", b"", "c-array", False, 1)
    assert float_sibling(int8, [onnx, fp32, int8]) is fp32
    assert float_sibling(array, [onnx, fp32, int8]) is fp32
    assert float_sibling(int8, [onnx, int8]) is None
    assert float_sibling(fp32, [fp32, onnx]) is None


def test_layers_find_the_tensor_that_was_spoilt(digits_bundle: Path, table: PixelTable) -> None:
    fp32, int8 = digits_bundle / KINDS["tflite-fp32"], digits_bundle / KINDS["tflite-int8"]
    assert open_pair("tflite", fp32, fp32) is None
    files = open_pair("tflite", fp32, int8)
    assert files is not None
    rows, n = layer_reports(files, table.pixels[:8])
    assert n == 8
    # Pixels are exact in int8; every later tensor of a good file keeps most of its signal.
    assert min(row.sqnr_db for row in rows) > 15
    assert all(0.0 < row.steps < 10 for row in rows if row.steps is not None)


def test_golden_replay_decides_a_verdict(own_digits_bundle: Path, found: Judgement) -> None:
    good = replay_golden(Bundle.open(own_digits_bundle))
    assert {kind for kind, one in good.items() if one.passed} == set(KINDS)
    assert found.report.with_golden(good).verdict == found.report.verdict
    example = own_digits_bundle / "golden" / "0.png"
    example.write_bytes((own_digits_bundle / "golden" / "1.png").read_bytes())
    report = found.report.with_golden(replay_golden(Bundle.open(own_digits_bundle)))
    assert report.verdict == "fail"
    assert report.artifacts["onnx-fp32"].verdict == "fail"
    assert "golden replay: 1 of 6" in report.artifacts["onnx-fp32"].reason
    assert report.pareto is not None
    assert {point.verdict for point in report.pareto.points} == {"fail"}
