"""One tiny model as every kind of artifact, and what each must keep."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, UsageError
from edge_runtime.engines import open_engine
from exporter.bundle.bundle_files import describe
from exporter.common.backend import load_keras, load_tensorflow
from exporter.convert import tflite
from exporter.convert.coreml import convert_coreml
from exporter.convert.onnx_file import convert_onnx, convert_onnx_fp16
from exporter.convert.saved_model import convert_saved_model
from exporter.formats.c_array import c_array
from exporter.formats.kinds import KINDS
from exporter.quantize import TfliteGraph
from exporter.source.candidate import artifact_candidate
from exporter.source.full_model import FullModel, find_source, freeze, load_source
from exporter.source.scoring import engine_scorer, full_scorer

LABELS = ("ash", "birch", "oak", "zelkova")


@pytest.fixture
def striking(saved: Callable[..., Path]) -> FullModel:
    """A model whose answers differ from image to image."""
    path = saved()
    keras = load_keras()
    model = keras.models.load_model(path)
    head = model.layers[-1]
    rng = np.random.default_rng(0)
    head.set_weights([rng.normal(0, 2, weight.shape).astype("float32") for weight in head.get_weights()])
    model.save(path)
    return load_source(find_source(path))


@pytest.fixture
def photos() -> np.ndarray:
    """uint8 [24, 12, 10, 3], of all brightnesses."""
    rng = np.random.default_rng(5)
    light = np.linspace(0.1, 1.0, 24)[:, None, None, None]
    return (light * rng.integers(0, 256, (24, 12, 10, 3))).astype(np.uint8)


def test_tflite_kinds_answer_as_the_full_model(striking: FullModel, photos: np.ndarray) -> None:
    reference = full_scorer(striking)(photos)
    assert np.ptp(reference, axis=0).max() > 0.2
    frozen = freeze(striking)
    files = {
        "tflite-fp32": tflite.convert_fp32(frozen),
        "tflite-fp16": tflite.convert_fp16(frozen),
        "tflite-dynamic": tflite.convert_dynamic(frozen),
        "tflite-int16x8": tflite.convert_int16x8(frozen, photos),
    }
    for kind, allowed in (
        ("tflite-fp32", 1e-5),
        ("tflite-fp16", 5e-3),
        ("tflite-dynamic", 0.05),
        ("tflite-int16x8", 0.03),
    ):
        engine = open_engine(files[kind], "tflite", kind)
        assert (engine.input.name, engine.output.name) == ("image", "scores")
        assert engine.input.dtype == "float32"
        scores = engine_scorer(engine, 4)(photos)
        assert np.abs(scores - reference).max() <= allowed, kind
        assert np.abs(scores.sum(axis=1) - 1).max() < 1e-6, kind
        runner = Interpreter(model_content=files[kind]).get_signature_runner("serving_default")
        by_signature = runner(image=photos[:1].astype(np.float32))["scores"]
        np.testing.assert_allclose(by_signature, scores[:1], atol=1e-6)
    sizes = {kind: len(data) for kind, data in files.items()}
    assert sizes["tflite-fp16"] < 0.6 * sizes["tflite-fp32"]
    assert max(sizes["tflite-dynamic"], sizes["tflite-int16x8"]) < 0.45 * sizes["tflite-fp32"]


def test_int16x8_is_quantized_all_but_the_softmax(striking: FullModel, photos: np.ndarray) -> None:
    data = tflite.convert_int16x8(freeze(striking), photos // 4)
    interpreter = Interpreter(model_content=data, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    types = {detail["index"]: detail["dtype"] for detail in interpreter.get_tensor_details()}
    scales = {detail["index"]: detail["quantization"][0] for detail in interpreter.get_tensor_details()}
    operations = {entry["op_name"]: entry for entry in interpreter._get_ops_details()}
    assert types[operations["SOFTMAX"]["inputs"][0]] is np.float32
    assert types[operations["CONV_2D"]["inputs"][0]] is np.int16
    assert types[operations["CONV_2D"]["inputs"][1]] is np.int8
    # 0..255 whatever calibrated it: these images end at 63.
    assert scales[operations["QUANTIZE"]["outputs"][0]] == pytest.approx(255 / 32767, rel=1e-3)


def _calibrated(frozen: Any, images: np.ndarray) -> Any:
    return TfliteGraph(tflite.convert_fp32(frozen)).calibrated(images)


@pytest.mark.parametrize("convert", [tflite.convert_int16x8, _calibrated])
def test_calibration_images_of_another_size(full_model: FullModel, convert: Callable[..., Any]) -> None:
    frozen = freeze(full_model)
    with pytest.raises(UsageError, match=r"12, 10, 3.*4, 4, 3"):
        convert(frozen, np.zeros((2, 4, 4, 3), dtype=np.uint8))
    with pytest.raises(UsageError, match="none"):
        convert(frozen, np.zeros((0, 12, 10, 3), dtype=np.uint8))


def test_onnx_fp16_answers_as_the_full_model(striking: FullModel, photos: np.ndarray) -> None:
    full = convert_onnx(striking)
    half = convert_onnx_fp16(full)
    assert len(half) < 0.6 * len(full)
    types = {entry.data_type for entry in onnx.load_from_string(half).graph.initializer if entry.dims}
    assert onnx.TensorProto.FLOAT16 in types
    engine = open_engine(half, "onnx", "half")
    assert (engine.input.dtype, engine.output.dtype) == ("float32", "float32")
    scores = engine_scorer(engine, 4)(photos)
    assert np.abs(scores - full_scorer(striking)(photos)).max() <= 5e-3
    # A softmax in float16 is some 1e-4 off.
    assert np.abs(scores.sum(axis=1) - 1).max() < 1e-6
    session = onnxruntime.InferenceSession(half, providers=["CPUExecutionProvider"])
    three = session.run(["scores"], {"image": photos[:3].astype(np.float32)})[0]
    assert np.abs(three - scores[:3]).max() < 1e-6


def test_saved_model_is_one_file_that_plain_tensorflow_loads(
    striking: FullModel, photos: np.ndarray, tmp_path: Path
) -> None:
    folder = tmp_path / "flowers_saved_model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(convert_saved_model(striking))
    assert [path.name for path in folder.iterdir()] == ["saved_model.pb"]
    tensorflow = load_tensorflow()
    signature = tensorflow.saved_model.load(str(folder)).signatures["serving_default"]
    assert list(signature.structured_input_signature[1]) == ["image"]
    reference = full_scorer(striking)(photos)
    for count in (1, 5):
        found = signature(image=tensorflow.constant(photos[:count].astype(np.float32)))["scores"].numpy()
        assert np.abs(found - reference[:count]).max() <= 1e-5
    # The same model gives the same bytes, so that the same hash.
    assert convert_saved_model(striking) == (folder / "saved_model.pb").read_bytes()
    # And it is a source as any other.
    back = load_source(find_source(folder))
    assert np.abs(full_scorer(back)(photos) - reference).max() <= 1e-5


def test_artifacts_without_an_engine_are_run_and_described(
    striking: FullModel, photos: np.ndarray, tmp_path: Path
) -> None:
    int8 = TfliteGraph(tflite.convert_fp32(freeze(striking))).calibrated(photos).quantized()
    header = tmp_path / "m_int8.h"
    header.write_bytes(c_array(int8, "m", LABELS, striking.input))
    saved = tmp_path / "m_saved_model" / "saved_model.pb"
    saved.parent.mkdir()
    saved.write_bytes(convert_saved_model(striking))
    reference = full_scorer(striking)(photos)
    for name, file, allowed in (("saved-model", saved, 1e-5), ("c-array", header, 0.1)):
        kind = KINDS[name]
        entry = describe(kind, file, striking.input, 4)
        assert entry.file == kind.file("m")
        assert entry.input.shape[1:] == (12, 10, 3)
        assert entry.input.dtype == ("uint8" if name == "c-array" else "float32")
        for model in (file, file.read_bytes()):
            engine = artifact_candidate(name, model, kind.format, 1, name, striking.input).open(1)
            assert np.abs(engine_scorer(engine, 4)(photos) - reference).max() <= allowed
            engine.close()
    assert describe(KINDS["saved-model"], saved, striking.input, 4).input.shape[0] == "batch"
    for name in ("tflite-fp32", "coreml"):
        assert artifact_candidate(name, b"", KINDS[name].format, 1, "x", striking.input).opener is None


def test_coreml_package(striking: FullModel) -> None:
    pytest.importorskip("coremltools", reason="needs the extra coreml")
    archive = zipfile.ZipFile(io.BytesIO(convert_coreml(striking, LABELS, "trees")))
    assert {name.split("/")[0] for name in archive.namelist()} == {"trees.mlpackage"}
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    (model,) = (name for name in archive.namelist() if name.endswith(".mlmodel"))
    spec.ParseFromString(archive.read(model))
    image = spec.description.input[0]
    assert (image.name, image.type.imageType.height, image.type.imageType.width) == ("image", 12, 10)
    assert spec.description.predictedFeatureName == "classLabel"
    assert b"zelkova" in spec.SerializeToString()


def test_coreml_without_its_extra(full_model: FullModel) -> None:
    if find_spec("coremltools") is not None:
        pytest.skip("the extra coreml is installed")
    with pytest.raises(EnvironmentMissingError, match=r"snapship\[coreml\]") as caught:
        convert_coreml(full_model, LABELS)
    assert caught.value.exit_code == 4


def test_mobilenet_v3_has_no_transposes_left(tmp_path: Path) -> None:
    from trainer import models

    keras = load_keras()
    keras.utils.set_random_seed(0)
    model = models.build("mobilenet_v3_small", input_shape=(64, 64, 3), classes=3)
    model.save(tmp_path / "model.keras")
    full = load_source(find_source(tmp_path / "model.keras"))
    graph = onnx.load_from_string(convert_onnx(full)).graph
    count = Counter(node.op_type for node in graph.node)
    # tf2onnx alone leaves more than a hundred: one around each convolution.
    assert count["Conv"] > 50
    assert count["Transpose"] <= 1


def test_scores_that_are_no_numbers_are_refused(full_model: FullModel, tmp_path: Path) -> None:
    broken = replace(full_model, call=lambda image: full_model.call(image) * float("nan"))
    for kind, data in (
        ("tflite-fp32", tflite.convert_fp32(freeze(broken))),
        ("onnx-fp32", convert_onnx(broken)),
    ):
        file = tmp_path / KINDS[kind].file("m")
        file.write_bytes(data)
        with pytest.raises(ModelFileError, match=rf"NaN or infinity from {file.name}.*--artifacts"):
            describe(KINDS[kind], file, full_model.input, 4)
