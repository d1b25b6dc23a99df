"""Calibration image by image gives what calibrating anew gives, and TensorFlow's own ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from edge_runtime.image.input_spec import InputSpec
from exporter.common.backend import load_keras
from exporter.convert.tflite import convert_fp32
from exporter.formats.flatbuffer import parsed
from exporter.formats.half_precision import raw
from exporter.quantize import TfliteGraph
from exporter.quantize.recording import fewer
from exporter.source.full_model import FullModel, freeze

FORMATS = pytest.mark.parametrize("format", ["tflite", "onnx"])


@FORMATS
def test_fewer_images_are_as_calibrated_with_only_those(plain: Any, format: str) -> None:
    images, graph = plain.digits.calibration()[:30], plain.graph(format)
    found = graph.calibrated(images)
    assert sorted(found.fewer) == [7, 15] == list(fewer(30))
    for count, less in found.fewer.items():
        alone = graph.calibrated(images[:count])
        assert less.ranges == alone.ranges != found.ranges
        assert less.quantized() == alone.quantized() != found.quantized()


@FORMATS
def test_the_number_of_cores_changes_nothing(
    plain: Any, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, made = plain.digits.calibration()[:20], []
    for count in (1, 3):
        monkeypatch.setattr("exporter.quantize.recording.cores", lambda count=count: count)
        made.append(plain.graph(format).calibrated(images).quantized())
    assert made[0] == made[1]


def residual() -> FullModel:
    """A network whose addition may be written over one of its inputs."""
    keras = load_keras()
    keras.utils.set_random_seed(2)
    layers = keras.layers
    image = keras.Input((24, 24, 3))
    first = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.Conv2D(8, 1)(layers.DepthwiseConv2D(3, padding="same", activation="relu6")(first))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, strides=2)(layers.Add()([first, x])))
    model = keras.Model(image, layers.Dense(4, activation="softmax")(x))
    spec = InputSpec(height=24, width=24, channels=3)
    return FullModel(model, lambda batch: model(batch, training=False), spec, 4)


def test_ranges_are_those_of_tensorflows_calibrator() -> None:
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    images = np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8)
    graph = TfliteGraph(convert_fp32(freeze(residual())))
    ranges = graph.calibrated(images).ranges
    assert ranges is not None
    calibrated = Calibrator(graph.data).calibrate(lambda: ([raw(image)] for image in images))
    found = {
        tensor.name.decode(): (float(tensor.quantization.min[0]), float(tensor.quantization.max[0]))
        for tensor in parsed(calibrated).subgraphs[0].tensors
        if tensor.quantization is not None and tensor.quantization.min is not None
    }
    assert len(found) > 5
    # The pixels' range is known.
    assert {name: span for name, span in ranges.items() if name != "image"} == {
        name: span for name, span in found.items() if name != "image"
    }


def test_nan_on_a_calibration_image_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "exporter.quantize.tflite_ranges.raw", lambda image: np.full((1, 24, 24, 3), np.nan, np.float32)
    )
    graph = TfliteGraph(convert_fp32(freeze(residual())))
    with pytest.raises(ModelFileError, match="NaN on a calibration image"):
        graph.calibrated(np.zeros((2, 24, 24, 3), np.uint8))
