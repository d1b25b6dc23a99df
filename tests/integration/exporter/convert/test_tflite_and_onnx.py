from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines import open_engine
from exporter.convert.onnx_file import convert_onnx, convert_onnx_fp16
from exporter.convert.tflite import convert_fp32
from exporter.quantize import OnnxGraph, TfliteGraph
from exporter.source.full_model import FullModel, find_source, freeze, load_source
from exporter.source.scoring import engine_scorer, full_scorer


def test_float_files_equal_keras(full_model: FullModel, noise: np.ndarray) -> None:
    reference = full_scorer(full_model)(noise)
    for data, kind in ((convert_fp32(freeze(full_model)), "tflite"), (convert_onnx(full_model), "onnx")):
        engine = open_engine(data, kind, kind)  # type: ignore[arg-type]
        assert (engine.input.name, engine.output.name) == ("image", "scores")
        assert engine.input.dtype == "float32"
        assert np.abs(engine_scorer(engine, 4)(noise) - reference).max() <= 1e-5


def test_int8_takes_pixels_as_they_are_whatever_calibrated_it(
    full_model: FullModel, noise: np.ndarray
) -> None:
    engine = open_engine(
        TfliteGraph(convert_fp32(freeze(full_model))).calibrated(noise).quantized(), "tflite", "int8"
    )
    assert engine.input.dtype == "uint8"
    assert (engine.input.scale, engine.input.zero_point) == (1.0, 0)
    assert engine.input.shape == (1, 12, 10, 3)
    assert engine.output.dtype == "float32"
    black_and_white = np.stack([np.zeros_like(noise[0]), np.full_like(noise[0], 255)])
    wanted = full_scorer(full_model)(black_and_white)
    assert np.abs(engine_scorer(engine, 4)(black_and_white) - wanted).max() < 0.15


def test_int8_softmax_stays_in_float(full_model: FullModel, noise: np.ndarray) -> None:
    data = TfliteGraph(convert_fp32(freeze(full_model))).calibrated(noise).quantized()
    scores = engine_scorer(open_engine(data, "tflite", "int8"), 4)(noise)
    assert np.abs(scores.sum(axis=1) - 1).max() < 1e-5
    # An integer softmax gives multiples of 1/256.
    assert np.abs(scores * 256 - np.round(scores * 256)).max() > 0.01
    interpreter = Interpreter(model_content=data, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    types = {detail["index"]: detail["dtype"] for detail in interpreter.get_tensor_details()}
    operations = {entry["op_name"]: entry["inputs"] for entry in interpreter._get_ops_details()}
    assert types[operations["SOFTMAX"][0]] is np.float32
    assert types[operations["CONV_2D"][0]] is np.int8


def test_onnx_has_a_named_dynamic_batch(full_model: FullModel, noise: np.ndarray) -> None:
    data = convert_onnx(full_model)
    proto = onnx.load_from_string(data)
    assert [entry.version for entry in proto.opset_import if not entry.domain] == [17]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    three = session.run(["scores"], {"image": noise[:3].astype(np.float32)})[0]
    assert np.abs(three - full_scorer(full_model)(noise[:3])).max() <= 1e-5


def test_onnx_pads_as_keras_in_front_of_convolution_and_pooling(
    saved: Callable[..., Path], noise: np.ndarray
) -> None:
    def padded(layers: Any, image: Any) -> Any:
        x = layers.Rescaling(1 / 127.5, -1)(image)
        x = layers.Conv2D(8, 3)(layers.ZeroPadding2D(((0, 1), (1, 1)))(x))
        x = layers.ReLU(6)(layers.DepthwiseConv2D(3)(layers.ZeroPadding2D(((0, 1), (0, 1)))(x)))
        # Numbers of both signs: what lies outside is 0, and not less than every number.
        x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(layers.Conv2D(6, 1)(x)))
        return layers.Flatten()(x)

    model = load_source(find_source(saved(padded)))
    fp32 = convert_onnx(model)
    int8 = OnnxGraph(fp32).calibrated(noise).quantized()
    reference = full_scorer(model)(noise)
    for data, pads, allowed in ((fp32, 1, 1e-5), (convert_onnx_fp16(fp32), 1, 5e-3), (int8, 1, 0.05)):
        graph = onnx.load_from_string(data).graph
        assert sum(node.op_type == "Pad" for node in graph.node) == pads
        assert not graph.value_info
        scores = engine_scorer(open_engine(data, "onnx", "padded"), 4)(noise)
        assert np.abs(scores - reference).max() <= allowed


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_reduced_precision_exports_in_float32(
    saved: Callable[..., Path], noise: np.ndarray, policy: str
) -> None:
    model = load_source(find_source(saved(policy=policy)))
    reference = full_scorer(model)(noise)
    for data, kind in ((convert_fp32(freeze(model)), "tflite"), (convert_onnx(model), "onnx")):
        engine = open_engine(data, kind, kind)  # type: ignore[arg-type]
        assert np.abs(engine_scorer(engine, 4)(noise) - reference).max() <= 1e-5


def test_gray_model(saved: Callable[..., Path]) -> None:
    model = load_source(find_source(saved(shape=(9, 9, 1))))
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 9, 1), dtype=np.uint8)
    engine = open_engine(
        TfliteGraph(convert_fp32(freeze(model))).calibrated(images).quantized(), "tflite", "int8"
    )
    assert engine.run(images[0]).shape == (4,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"activation": None}, "softmax"),
        ({"shape": (12, 10, 4)}, "1 or 3"),
        ({"shape": (None, None, 3), "body": lambda layers, x: layers.GlobalAveragePooling2D()(x)}, "fixed"),
    ],
)
def test_models_that_are_no_classifier(
    saved: Callable[..., Path], change: dict[str, object], words: str
) -> None:
    with pytest.raises(ModelFileError, match=words) as caught:
        load_source(find_source(saved(**change)))
    assert "\n" not in str(caught.value)


def test_calibration_needs_an_image(full_model: FullModel, noise: np.ndarray) -> None:
    from edge_runtime.common.errors import UsageError

    with pytest.raises(UsageError, match="calibration"):
        TfliteGraph(convert_fp32(freeze(full_model))).calibrated(noise[:0])
