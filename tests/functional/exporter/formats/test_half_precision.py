"""Float16 files whose activations pass float16's end, though a CPU computes them without a sign of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import exporter.judge.run_artifacts
from edge_runtime.common.errors import ModelFileError
from edge_runtime.dataset import open_dataset
from edge_runtime.image.input_spec import InputSpec
from exporter import CheckConfig
from exporter.checking import run_check
from exporter.convert.onnx_file import convert_onnx_fp16
from exporter.evidence.record import DiagnosticOptions
from exporter.formats.half_precision import HALF_MAX, SAMPLE, Magnitude, half_magnitude
from exporter.judge.judge_artifacts import Judgement, judge
from exporter.report.report import render_report
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable, decode_table

GAIN = (530_684.0 / 255.0) ** 0.5
"""Two of it make 530,684 of a white pixel."""

PIXELS = np.stack([np.full((4, 4, 1), level, np.uint8) for level in (0, 100, 255)])


def file(gain: float = GAIN, weight: float = 1.0) -> bytes:
    """A float32 .onnx classifier: pixels times ``gain`` twice, and back, to two scores."""
    kernel = np.array([[1.0, -1.0]], np.float32) * weight / 255.0
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "gain"], ["medium"]),
        helper.make_node("Mul", ["medium", "gain"], ["large"]),
        helper.make_node("Mul", ["large", "back"], ["small"]),
        helper.make_node("MatMul", ["small", "kernel"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    constants = {
        "gain": np.array([gain], np.float32), "back": np.array([1.0 / gain**2], np.float32), "kernel": kernel,
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 4, 4, 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def test_activation_beyond_float16_is_found_with_its_tensor() -> None:
    found = half_magnitude(convert_onnx_fp16(file()), "onnx", "x.onnx", PIXELS)
    assert found is not None
    assert found.tensor == "large"
    assert found.magnitude == pytest.approx(530_684, rel=1e-3)
    assert found.overflows
    assert "530," in found.text
    assert "large" in found.text


def test_numbers_that_float16_holds_are_no_overflow() -> None:
    found = half_magnitude(convert_onnx_fp16(file(gain=1.5)), "onnx", "x.onnx", PIXELS)
    assert found == Magnitude("large", 573.75, 3)
    assert not found.overflows


def test_weight_that_was_cut_counts() -> None:
    # The converter writes 65,504 for it; of a black image nothing is larger.
    found = half_magnitude(convert_onnx_fp16(file(gain=1.5, weight=1e8)), "onnx", "x.onnx", PIXELS[:1])
    assert found == Magnitude("kernel", HALF_MAX, 1)
    assert found.overflows


def test_float32_file_is_looked_into_only_where_asked() -> None:
    assert half_magnitude(file(), "onnx", "x.onnx", PIXELS) is None
    found = half_magnitude(file(), "onnx", "x.onnx", PIXELS, widths="any")
    assert found is not None
    assert found.magnitude == pytest.approx(530_684, rel=1e-6)


def test_images_are_spread_over_the_set() -> None:
    many = np.repeat(PIXELS, 40, axis=0)
    found = half_magnitude(convert_onnx_fp16(file()), "onnx", "x.onnx", many)
    assert found is not None
    # The white ones stand last.
    assert (found.images, found.overflows) == (SAMPLE, True)


def test_weights_in_a_file_beside_it_are_looked_into(tmp_path: Path) -> None:
    # As PyTorch's exporter writes them.
    whole, path = convert_onnx_fp16(file()), tmp_path / "x.onnx"
    onnx.save(
        onnx.load_from_string(whole), path, save_as_external_data=True, location="x.onnx.data",
        size_threshold=0,
    )  # fmt: skip
    assert (tmp_path / "x.onnx.data").stat().st_size
    found = half_magnitude(path, "onnx", path.name, PIXELS)
    assert found == half_magnitude(whole, "onnx", path.name, PIXELS)
    assert found is not None
    assert found.overflows


def test_damaged_file_is_one_line() -> None:
    with pytest.raises(ModelFileError, match=r"x\.onnx") as caught:
        half_magnitude(b"no model", "onnx", "x.onnx", PIXELS)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty dark and twenty light images of 4x4."""
    folder = tmp_path_factory.mktemp("photos")
    for label, first in (("dark", 0), ("light", 200)):
        (folder / label).mkdir()
        for level in range(first, first + 20):
            Image.fromarray(np.full((4, 4), level, np.uint8)).save(folder / label / f"{level}.png")
    return folder


@pytest.fixture
def table(photos: Path) -> Iterator[PixelTable]:
    with decode_table(open_dataset(photos), InputSpec(height=4, width=4, channels=1)) as table:
        yield table


def judged_by_the_first(
    candidates: list[Candidate], table: PixelTable, diagnostics: DiagnosticOptions | None = None
) -> Judgement:
    """Judges candidates; the scores of the first stand for the full model's."""
    engine = candidates[0].open(1)
    reference = np.stack([engine.run(np.asarray(image)) for image in table.pixels])
    return judge(
        candidates,
        reference,
        table,
        file="m",
        sha256="0" * 64,
        margin=0.2,
        diagnostics=diagnostics or DiagnosticOptions.quick(),
    )


def test_check_fails_a_float16_file_that_answers_right_here(table: PixelTable) -> None:
    files = {"onnx-fp32": file(), "onnx-fp16": convert_onnx_fp16(file())}
    candidates = [
        Candidate(kind, data, "onnx", kind == "onnx-fp32", len(data)) for kind, data in files.items()
    ]
    candidates.append(Candidate("coreml", b"", "coreml", False, 1))
    found = judged_by_the_first(candidates, table)
    full, half = (found.report.artifacts[kind] for kind in files)
    assert (full.verdict, full.half) == ("pass", None)
    # A CPU computes it in float32, so that its answers alone would pass.
    assert (half.verdict, half.agreement, half.lost) == ("fail", 1.0, 0)
    assert half.reason.startswith("overflows in half precision: 45")
    assert "in large" in half.reason
    assert "overflows in half precision" in found.report.skipped["coreml"]
    assert "overflows in half precision" in render_report("tiny", found, table)


def test_float16_file_has_no_integer_kernels_to_compare(table: PixelTable) -> None:
    data = convert_onnx_fp16(file(gain=1.5))
    candidate = Candidate("onnx-fp16", data, "onnx", False, len(data))
    options = replace(DiagnosticOptions.quick(), engines=True, seconds=0.05)
    found = judged_by_the_first([candidate], table, options).report
    engines = {row.engine for row in found.artifacts["onnx-fp16"].engines}
    assert engines == {"onnxruntime", "onnxruntime, graph as written"}


def test_float_file_that_cannot_be_looked_into_ends_no_check(
    table: PixelTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ModelFileError(
            "A float16 file must run with all its tensors kept. Received: x. Export it again."
        )

    monkeypatch.setattr(exporter.judge.run_artifacts, "half_magnitude", refused)
    candidates = [
        Candidate("onnx-fp32", file(), "onnx", True, 1),
        Candidate("coreml", b"", "coreml", False, 1),
    ]
    found = judged_by_the_first(candidates, table).report
    assert found.artifacts["onnx-fp32"].verdict == "pass"
    (why,) = found.artifacts["onnx-fp32"].missing
    assert why.startswith("half precision: A float16 file")
    # The page ends the sentence.
    assert not why.endswith(".")
    assert "overflows" not in found.skipped["coreml"]


def test_foreign_float16_file_is_looked_into(photos: Path, tmp_path: Path) -> None:
    # In PyTorch's order, and normalised outside: what goes in is not the raw pixels.
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    model = onnx.load_from_string(file())
    for place, size in enumerate((1, 4, 4), start=1):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_value = size
    model.graph.node[0].attribute[0].ints[:] = [2, 3]
    mean = model.graph.node[0]
    mean.output[0] = "channel"
    model.graph.node.insert(1, helper.make_node("ReduceMean", ["channel"], ["mean"], axes=[1], keepdims=0))
    model.graph.node.insert(2, helper.make_node("Unsqueeze", ["mean", "last"], ["column"]))
    model.graph.node[3].input[0] = "column"
    model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "last"))
    onnx.checker.check_model(model, full_check=True)
    full.write_bytes(model.SerializeToString())
    half.write_bytes(convert_onnx_fp16(full.read_bytes()))
    config = CheckConfig(
        reference=full, candidate=half, data=photos, split="all", margin=0.2, quick=True,
        input_range="0..1", weak_reference="allow",
    )  # fmt: skip
    found = run_check(config).report
    one = found.artifacts["half.onnx"]
    assert one.half is not None
    # 219 / 255 of what 1 gives, and not of what 255 gives.
    assert one.half.magnitude == pytest.approx(GAIN**2 * 219 / 255, rel=1e-2)
    assert one.verdict == "pass"
