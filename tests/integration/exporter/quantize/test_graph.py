from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.engines.selection import open_engine
from exporter.quantize import QuantGraph
from exporter.quantize.onnx_saturation import products
from exporter.source.scoring import engine_scorer
from exporter.statistics.drift import agreement, floored_kl

FORMATS = pytest.mark.parametrize("format", ["tflite", "onnx"])


def scores_of(graph: QuantGraph, data: bytes, pixels: np.ndarray) -> np.ndarray:
    return engine_scorer(open_engine(data, graph.format, "model"), 10)(pixels)


def float_scores(graph: QuantGraph, pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([tensors["scores"] for tensors in graph.tensors(pixels)])


@FORMATS
def test_layers_are_those_of_the_keras_model(plain: Any, trained: Any, format: str) -> None:
    layers = plain.graph(format, fold=False).layers()
    assert [layer.op for layer in layers] == ["conv", "depthwise", "conv", "conv", "conv", "dense"]
    assert [layer.activation for layer in layers] == ["relu6", "relu6", "none", "relu6", "relu", "none"]
    kernels = [trained.get_layer(name).get_weights() for name in ("stem", "deep", "narrow", "wide", "late")]
    for layer, (kernel, bias) in zip(layers, kernels, strict=False):
        axes = (2, 0, 1, 3) if layer.op == "depthwise" else (3, 0, 1, 2)
        np.testing.assert_allclose(layer.weights, kernel.transpose(axes), atol=1e-5)
        np.testing.assert_allclose(layer.bias, bias, atol=1e-5)
    np.testing.assert_allclose(layers[-1].weights, trained.get_layer("scores").get_weights()[0].T, atol=1e-5)
    assert layers[2].readers == (layers[3].name,)
    assert layers[1].groups == 12


@FORMATS
def test_with_layers_writes_what_layers_reads(plain: Any, format: str) -> None:
    graph = plain.graph(format).calibrated(plain.digits.calibration())
    layers = {layer.name: layer for layer in graph.layers()}
    rebuilt = graph.with_layers(layers)
    np.testing.assert_array_equal(
        float_scores(graph, plain.pixels[:5]), float_scores(rebuilt, plain.pixels[:5])
    )
    name = list(layers)[2]
    assert layers[name].bias is not None
    other = graph.with_layers({name: replace(layers[name], bias=layers[name].bias + 3)})
    assert other.ranges == graph.ranges
    assert np.abs(float_scores(graph, plain.pixels[:5]) - float_scores(other, plain.pixels[:5])).max() > 0.01
    assert graph.with_layers({name: replace(layers[name], weights=layers[name].weights * 2)}).ranges is None


@FORMATS
def test_calibrated_has_the_true_extremes_of_every_tensor(plain: Any, format: str) -> None:
    images = plain.digits.calibration()[:30]
    graph = plain.graph(format).calibrated(images)
    assert graph.ranges is not None
    assert graph.ranges["image"] == (0.0, 255.0)
    name = graph.layers()[3].output
    values = [tensors[name] for tensors in graph.tensors(images)]
    found = (min(float(value.min()) for value in values), max(float(value.max()) for value in values))
    assert graph.ranges[name] == pytest.approx(found, rel=1e-5)


@FORMATS
def test_quantized_takes_pixels_and_answers_like_the_full_model(plain: Any, format: str) -> None:
    graph = plain.graph(format).calibrated(plain.digits.calibration())
    data = graph.quantized()
    engine = open_engine(data, graph.format, "model")
    assert (engine.input.name, engine.input.dtype, engine.input.scale, engine.input.zero_point) == (
        "image",
        "uint8",
        1,
        0,
    )
    assert (engine.output.name, engine.output.dtype) == ("scores", "float32")
    scores = scores_of(graph, data, plain.pixels)
    assert agreement(plain.scores, scores) >= 0.98
    assert floored_kl(plain.scores, scores) < 0.01
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    # A softmax in int8 would leave no more than 256 different scores.
    assert len(np.unique(scores)) > 1000


@FORMATS
def test_folded_normalisation_changes_only_what_lies_on_the_edge(plain: Any, format: str) -> None:
    folded, whole = plain.graph(format), plain.graph(format, fold=False)
    pixels = plain.pixels[:20]
    np.testing.assert_allclose(float_scores(folded, pixels), float_scores(whole, pixels), atol=0.02)
    name, other = folded.layers()[0].output, whole.layers()[0].output
    for left, right in zip(folded.tensors(pixels[:3]), whole.tensors(pixels[:3]), strict=True):
        # Batch and, of either layout, the rows and columns inside.
        rows = (slice(None),) * (1 if format == "tflite" else 2)
        inner = (*rows, slice(0, -1), slice(0, -1))
        np.testing.assert_allclose(left[name][inner], right[other][inner], atol=1e-4)


def test_onnx_takes_any_batch_and_keeps_no_normalisation(plain: Any) -> None:
    import onnx
    import onnxruntime

    graph = plain.graph("onnx").calibrated(plain.digits.calibration())
    data = graph.quantized()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 16, 16, 1]
    together = session.run(None, {"image": plain.pixels[:3]})[0]
    np.testing.assert_allclose(together, scores_of(graph, data, plain.pixels[:3]), atol=1e-6)
    model = onnx.load_model_from_string(data)
    assert not {"Mul", "Add", "Cast"} & {node.op_type for node in model.graph.node}


@FORMATS
def test_quantized_leaves_named_operations_in_float(plain: Any, format: str) -> None:
    graph = plain.graph(format).calibrated(plain.digits.calibration())
    first, last = graph.layers()[0].name, graph.layers()[4].name
    small = graph.quantized()
    assert len(graph.quantized([last])) > len(small) + 2 * graph.layers()[4].weights.size
    scores = scores_of(graph, graph.quantized([first, last]), plain.pixels)
    assert agreement(plain.scores, scores) >= 0.98


@FORMATS
def test_op_errors_find_the_layer_with_a_coarse_grid(coarse: Any, format: str) -> None:
    graph = coarse.graph(format).calibrated(coarse.digits.calibration())
    errors = graph.op_errors(coarse.digits.calibration()[:20])
    assert errors[0].name == graph.layers()[-1].name
    assert errors[0].error > 3 * errors[1].error
    # Rounding alone: a uniform error of one step has this deviation.
    assert errors[-1].error < 0.35


@FORMATS
def test_graphs_refuse_what_they_cannot_use(plain: Any, format: str) -> None:
    graph = plain.graph(format)
    with pytest.raises(UsageError, match="Received: no ranges"):
        graph.quantized()
    with pytest.raises(UsageError, match="Received: none"):
        graph.calibrated(plain.pixels[:0])
    with pytest.raises(UsageError, match=r"Received: uint8 \[2, 8, 8, 1\]"):
        graph.calibrated(plain.pixels[:2, :8, :8])


@pytest.mark.parametrize("case", ["plain", "coarse", "planted"])
def test_onnx_products_fit_16_bits_whatever_the_weights(case: str, request: pytest.FixtureRequest) -> None:
    import onnx

    small = request.getfixturevalue(case)
    graph = small.graph("onnx").calibrated(small.digits.calibration()[:20])
    for one, narrow in ((graph, True), (graph.widened(), False)):
        assert one.narrow is narrow
        model = onnx.load_model_from_string(one.quantized())
        found = products(model)
        # Depthwise convolutions keep signed weights either way.
        assert len(found) == (len(graph.layers()) if narrow else 1)
        assert all(product.fits for product in found)
        layer = graph.layers()[-1]
        assert np.abs(one.rounded(layer) - layer.weights).max() > 0


def test_narrow_onnx_weights_cost_little_and_unsigned_ones_nothing(plain: Any) -> None:
    graph = plain.graph("onnx").calibrated(plain.digits.calibration())
    narrow, wide = (
        floored_kl(plain.scores, scores_of(one, one.quantized(), plain.pixels))
        for one in (graph, graph.widened())
    )
    assert wide < 0.01
    assert narrow < 0.01
