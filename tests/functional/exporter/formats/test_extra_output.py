"""The features output on the tiny golden models: scores as before to the bit, features as the file computes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines import open_engine
from edge_runtime.engines.litert import new_interpreter
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.extra_output import with_features
from exporter.formats.flatbuffer import name_tensors
from exporter.formats.onnx_run import add_outputs, session_of
from exporter.formats.tflite_metadata import read_tflite_metadata, tflite_labels, with_tflite_metadata

LABELS = tuple("0123456789")
FILES = ("digits_fp32.tflite", "digits_int8.tflite", "digits_fp32.onnx")


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8)


@pytest.mark.parametrize("name", FILES)
def test_scores_stay_the_same_to_the_bit(digits_bundle: Path, name: str) -> None:
    data, format = (digits_bundle / name).read_bytes(), Path(name).suffix[1:]
    before = open_engine(data, format, name)
    after = open_engine(with_features(data, format, name), format, name)
    assert before.outputs == ()
    (features,) = after.outputs
    assert (features.name, features.dtype) == ("features", "float32")
    for pixels in noise():
        scores, extra = after.run_with(pixels, "features")
        assert (scores == before.run(pixels)).all()
        assert (after.run(pixels) == scores).all()
        assert extra.shape == (features.shape[-1],)
        assert extra.dtype == np.float32
        assert extra.std() > 0


@pytest.mark.parametrize("name", FILES[:2])
def test_features_of_a_tflite_file_are_what_its_last_dense_layer_takes(
    digits_bundle: Path, name: str
) -> None:
    data = (digits_bundle / name).read_bytes()
    engine = open_engine(with_features(data, "tflite", name), "tflite", name)
    interpreter = new_interpreter(data, 1, all_tensors=True)
    interpreter.allocate_tensors()
    dense = [entry for entry in interpreter._get_ops_details() if entry["op_name"] == "FULLY_CONNECTED"][-1]
    taken = interpreter.get_input_details()[0]
    detail = next(entry for entry in interpreter.get_tensor_details() if entry["index"] == dense["inputs"][0])
    scale, zero_point = detail["quantization"]
    for pixels in noise():
        interpreter.set_tensor(taken["index"], pixels[np.newaxis].astype(taken["dtype"]))
        interpreter.invoke()
        found = interpreter.get_tensor(detail["index"])[0].astype(np.float32)
        wanted = (found - zero_point) * scale if scale else found
        # Other kernels: XNNPACK rounds some int8 values the other way.
        np.testing.assert_allclose(
            engine.run_with(pixels, "features")[1], wanted, atol=2 * scale or 1e-4, rtol=1e-4
        )


def test_features_of_an_onnx_file_are_what_its_last_dense_layer_takes(digits_bundle: Path) -> None:
    data = (digits_bundle / FILES[2]).read_bytes()
    engine = open_engine(with_features(data, "onnx", "digits"), "onnx", "digits")
    model = onnx.load_model_from_string(data)
    dense = [node for node in model.graph.node if node.op_type in ("Gemm", "MatMul")][-1]
    add_outputs(model, [dense.input[0]])
    session = session_of(model.SerializeToString())
    for pixels in noise():
        wanted = session.run([dense.input[0]], {"image": pixels[np.newaxis].astype(np.float32)})[0][0]
        np.testing.assert_allclose(engine.run_with(pixels, "features")[1], wanted, atol=1e-5, rtol=1e-4)


def test_metadata_and_signature_tell_of_the_features(digits_bundle: Path) -> None:
    named = name_tensors((digits_bundle / FILES[1]).read_bytes())
    spec = InputSpec(16, 16, 1)
    described = with_tflite_metadata(named, name="digits", description="", labels=LABELS, input=spec)
    model = with_tflite_metadata(
        with_features(described, "tflite", "digits"), name="digits", description="", labels=LABELS, input=spec
    )
    record = read_tflite_metadata(model)
    assert record is not None
    assert [entry["name"] for entry in record["subgraphs"][0]["outputs"]] == ["score", "features"]
    assert tflite_labels(model) == LABELS
    interpreter = Interpreter(model_content=model)
    signature = interpreter.get_signature_list()["serving_default"]
    assert sorted(signature["outputs"]) == ["features", "scores"]


def test_file_without_a_dense_layer_is_refused_with_the_reason(digits_bundle: Path) -> None:
    model = onnx.load(digits_bundle / FILES[2])
    last = next(node for node in model.graph.node if node.output[0] == model.graph.output[0].name)
    last.op_type = "Sigmoid"
    del last.attribute[:]
    with pytest.raises(ModelFileError, match="scores come from Sigmoid") as refused:
        with_features(model.SerializeToString(), "onnx", "onnx-fp32")
    assert "\n" not in str(refused.value)


def test_an_output_that_a_file_lacks_is_refused(digits_bundle: Path) -> None:
    for name in FILES:
        engine = open_engine(digits_bundle / name, Path(name).suffix[1:], name)
        with pytest.raises(ModelFileError, match=r"Received: features of .* which has none but scores"):
            engine.run_with(noise()[0], "features")
