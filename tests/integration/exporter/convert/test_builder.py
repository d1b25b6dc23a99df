from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.c_header import tflite_in
from edge_runtime.image.input_spec import InputSpec
from exporter.common.backend import load_keras, load_tensorflow
from exporter.convert.builder import Builder
from exporter.formats.kinds import KINDS
from exporter.source.full_model import FullModel

LABELS = ("ash", "birch", "oak", "zelkova")


class Calibration:
    """Images that calibrate, and how often somebody asked for them."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.calls = pixels, 0

    def __call__(self) -> np.ndarray:
        self.calls += 1
        return self.pixels


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def calibration(noise: np.ndarray) -> Calibration:
    return Calibration(noise)


@pytest.fixture
def builder(full_model: FullModel, calibration: Calibration, tmp_path: Path, told: list[str]) -> Builder:
    folder = tmp_path / "made"
    folder.mkdir()
    return Builder(
        full_model, "trees", LABELS, calibration, folder, lambda step, done, total: told.append(step)
    )


def test_model_is_converted_once_for_all_kinds(
    builder: Builder, calibration: Calibration, told: list[str]
) -> None:
    kinds = tuple(
        KINDS[name]
        for name in ("tflite-fp32", "tflite-int8", "onnx-fp32", "onnx-fp16", "onnx-int8", "c-array")
    )
    made = builder.make(kinds)
    assert tuple(made) == kinds
    assert [path.name for path in made.values()] == [
        "trees_fp32.tflite", "trees_int8.tflite", "trees_fp32.onnx", "trees_fp16.onnx", "trees_int8.onnx",
        "trees_int8.h",
    ]  # fmt: skip
    assert calibration.calls == 1
    for step in ("freezing the full model", "converting to tflite-fp32", "converting to onnx-fp32"):
        assert told.count(step) == 1, step
    assert told.count("quantizing to tflite-int8") == 1
    assert tflite_in(made[KINDS["c-array"]].read_bytes()) == builder.data("tflite-int8")


def test_float_kinds_ask_for_no_images(builder: Builder, calibration: Calibration) -> None:
    builder.make((KINDS["tflite-fp32"], KINDS["tflite-fp16"]))
    assert calibration.calls == 0


def bodied(body: Callable[[Any, Any], Any]) -> FullModel:
    keras = load_keras()
    image = keras.Input((12, 10, 3))
    x = keras.layers.Flatten()(body(keras.layers, image))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(x))
    spec = InputSpec(height=12, width=10, channels=3)
    return FullModel(model, lambda batch: model(batch, training=False), spec, 4)


def tiny_activations(layers: Any, image: Any) -> Any:
    """int16x8 cannot write 6 in steps of such an activation, and LiteRT refuses the file."""
    few = load_keras().initializers.RandomUniform(-1e-8, 1e-8)
    return layers.ReLU(6)(layers.Conv2D(4, 3, kernel_initializer=few)(image))


def lgamma(layers: Any, image: Any) -> Any:
    """TFLite has it, tf2onnx has not."""
    return layers.Lambda(lambda x: load_tensorflow().math.lgamma(x + 1.0))(layers.Rescaling(1 / 255)(image))


Making = Callable[[FullModel], Builder]


@pytest.fixture
def making(calibration: Calibration, tmp_path: Path, told: list[str]) -> Making:
    (tmp_path / "made").mkdir(exist_ok=True)
    return lambda model: Builder(
        model, "trees", LABELS, calibration, tmp_path / "made", lambda step, done, total: told.append(step)
    )


def test_file_that_does_not_load_is_left_out(making: Making, tmp_path: Path) -> None:
    builder = making(bodied(tiny_activations))
    kinds = (KINDS["tflite-int16x8"], KINDS["tflite-fp32"])
    assert tuple(builder.make(kinds)) == kinds
    assert [entry.kind for entry in builder.load().values()] == ["tflite-fp32"]
    assert list(builder.files) == [KINDS["tflite-fp32"]]
    assert list(builder.unmade) == ["tflite-int16x8"]
    assert "no_integer_overflow" in builder.unmade["tflite-int16x8"]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["trees_fp32.tflite"]


def test_refused_conversion_is_tried_once_for_all_that_are_made_of_it(
    making: Making, told: list[str], tmp_path: Path
) -> None:
    builder = making(bodied(lgamma))
    kinds = tuple(
        KINDS[name] for name in ("tflite-fp32", "onnx-fp32", "onnx-fp16", "onnx-int8", "saved-model")
    )
    assert [kind.name for kind in builder.make(kinds)] == ["tflite-fp32", "saved-model"]
    assert list(builder.unmade) == ["onnx-fp32", "onnx-fp16", "onnx-int8"]
    assert all("Lgamma" in why for why in builder.unmade.values())
    assert told.count("converting to onnx-fp32") == 1
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"trees_fp32.tflite", "trees_saved_model"}


def test_nothing_made_is_the_error_of_the_first(making: Making, tmp_path: Path) -> None:
    builder = making(bodied(tiny_activations))
    builder.make((KINDS["tflite-int16x8"],))
    with pytest.raises(ModelFileError, match="no_integer_overflow"):
        builder.load()
    with pytest.raises(ModelFileError, match="Lgamma"):
        making(bodied(lgamma)).make((KINDS["onnx-fp16"], KINDS["onnx-fp32"]))
    assert not list((tmp_path / "made").iterdir())


def test_no_memory_is_no_reason_of_one_kind(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        try:
            raise MemoryError
        except MemoryError as error:
            raise ModelFileError("A file must load.") from error

    builder.make((KINDS["tflite-fp32"], KINDS["tflite-fp16"]))
    monkeypatch.setattr("exporter.convert.builder.describe", full)
    with pytest.raises(ModelFileError, match="must load"):
        builder.load()
    assert not builder.unmade


def test_c_array_follows_a_repaired_tflite_file_and_no_other(builder: Builder) -> None:
    made = builder.make((KINDS["tflite-int8"], KINDS["onnx-int8"], KINDS["c-array"]))
    before = {kind.name: path.read_bytes() for kind, path in made.items()}
    other = builder.graph("tflite-int8").quantized(("nothing",))
    float_op = builder.graph("tflite-int8").layers()[-1].name
    repaired = builder.graph("tflite-int8").quantized((float_op,))
    assert repaired != builder.data("tflite-int8") == other
    old = dict(builder.load())
    builder.replace("onnx-int8", builder.data("onnx-int8"))
    assert {kind.name: path.read_bytes() for kind, path in made.items()} == before
    builder.replace("tflite-int8", repaired)
    assert made[KINDS["tflite-int8"]].read_bytes() != before["tflite-int8"]
    assert tflite_in(made[KINDS["c-array"]].read_bytes()) == repaired == builder.data("tflite-int8")
    assert made[KINDS["onnx-int8"]].read_bytes() == before["onnx-int8"]
    # What the manifest says of them is that of the new files.
    changed = {kind.name for kind, entry in builder.entries.items() if entry.sha256 != old[kind].sha256}
    assert changed == {"tflite-int8", "c-array"}


def test_replaced_file_makes_no_artifact_that_nobody_asked_for(builder: Builder) -> None:
    builder.make((KINDS["c-array"],))
    builder.replace("tflite-int8", builder.data("tflite-int8"))
    assert list(builder.files) == [KINDS["c-array"]]
