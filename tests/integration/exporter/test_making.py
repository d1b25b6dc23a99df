from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter.c_array import tflite_in
from exporter.kinds import KINDS
from exporter.making import Maker
from exporter.source import FullModel

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
def maker(full_model: FullModel, calibration: Calibration, tmp_path: Path, told: list[str]) -> Maker:
    folder = tmp_path / "made"
    folder.mkdir()
    return Maker(
        full_model, "trees", LABELS, calibration, folder, lambda step, done, total: told.append(step)
    )


def test_model_is_converted_once_for_all_kinds(
    maker: Maker, calibration: Calibration, told: list[str]
) -> None:
    kinds = tuple(
        KINDS[name]
        for name in ("tflite-fp32", "tflite-int8", "onnx-fp32", "onnx-fp16", "onnx-int8", "c-array")
    )
    made = maker.make(kinds)
    assert tuple(made) == kinds
    assert [path.name for path in made.values()] == [
        "trees_fp32.tflite", "trees_int8.tflite", "trees_fp32.onnx", "trees_fp16.onnx", "trees_int8.onnx",
        "trees_int8.h",
    ]  # fmt: skip
    assert calibration.calls == 1
    for step in ("freezing the full model", "converting to tflite-fp32", "converting to onnx-fp32"):
        assert told.count(step) == 1, step
    assert told.count("quantizing to tflite-int8") == 1
    assert tflite_in(made[KINDS["c-array"]].read_bytes()) == maker.int8("tflite-int8")


def test_float_kinds_ask_for_no_images(maker: Maker, calibration: Calibration) -> None:
    maker.make((KINDS["tflite-fp32"], KINDS["tflite-fp16"]))
    assert calibration.calls == 0


def test_c_array_follows_a_repaired_tflite_file_and_no_other(maker: Maker) -> None:
    made = maker.make((KINDS["tflite-int8"], KINDS["onnx-int8"], KINDS["c-array"]))
    before = {kind.name: path.read_bytes() for kind, path in made.items()}
    other = maker.graph("tflite-int8").quantized(("nothing",))
    float_op = maker.graph("tflite-int8").layers()[-1].name
    repaired = maker.graph("tflite-int8").quantized((float_op,))
    assert repaired != maker.int8("tflite-int8") == other
    maker.replace("onnx-int8", maker.int8("onnx-int8"))
    assert {kind.name: path.read_bytes() for kind, path in made.items()} == before
    maker.replace("tflite-int8", repaired)
    assert made[KINDS["tflite-int8"]].read_bytes() != before["tflite-int8"]
    assert tflite_in(made[KINDS["c-array"]].read_bytes()) == repaired == maker.int8("tflite-int8")
    assert made[KINDS["onnx-int8"]].read_bytes() == before["onnx-int8"]


def test_replaced_file_makes_no_artifact_that_nobody_asked_for(maker: Maker) -> None:
    maker.make((KINDS["c-array"],))
    maker.replace("tflite-int8", maker.int8("tflite-int8"))
    assert list(maker.files) == [KINDS["c-array"]]
