"""Checks of files that were made by other tools: other ranges, types, orders, and logits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from edge_runtime.common.errors import BundleError, ModelFileError, SnapshipError, UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.image.input_spec import InputSpec
from exporter import CheckConfig
from exporter.checking import CheckResult, run_check
from exporter.common.backend import load_keras, load_tensorflow
from exporter.source.external import look_at, prepared
from exporter.source.input_range import InputRange

SIZE = (12, 10, 3)
NAMES = ("ash", "birch", "oak", "zelkova")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(3)
    for name in NAMES:
        (folder / name).mkdir()
        for index in range(6):
            light = rng.uniform(0.2, 1.0, 3)
            array = (light * rng.integers(0, 256, SIZE)).astype(np.uint8)
            Image.fromarray(array).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One network that takes -1..1 and gives logits, as others save it."""
    keras, tensorflow = load_keras(), load_tensorflow()
    keras.utils.set_random_seed(1)
    image = keras.Input(SIZE)
    x = keras.layers.Conv2D(8, 3, activation="relu")(image)
    logits = keras.layers.Dense(4)(keras.layers.Flatten()(x))
    model = keras.Model(image, logits)
    softmax = keras.Model(image, keras.layers.Softmax()(logits))
    folder = tmp_path_factory.mktemp("files")
    found = {name: folder / name for name in (
        "full.keras", "full.h5", "full_saved", "logits.tflite", "scores.tflite", "uint8.tflite", "int8.tflite",
        "nhwc.onnx", "nchw.onnx",
    )}  # fmt: skip
    model.save(found["full.keras"])
    softmax.save(found["full.h5"])
    model.export(found["full_saved"], verbose=False)
    found["logits.tflite"].write_bytes(tflite_of(model))
    found["scores.tflite"].write_bytes(tflite_of(softmax))
    found["uint8.tflite"].write_bytes(tflite_of(model, tensorflow.uint8))
    found["int8.tflite"].write_bytes(tflite_of(softmax, tensorflow.int8))
    write_onnx(softmax, found["nhwc.onnx"])
    write_onnx(model, found["nchw.onnx"], inputs_as_nchw=["photo"])
    return found


def tflite_of(model: Any, dtype: Any = None) -> bytes:
    """What a user's own script makes: the stock converter, integer in and out."""
    tensorflow = load_tensorflow()
    rng = np.random.default_rng(0)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
        if dtype is not None:

            def samples() -> Iterator[list[Any]]:
                for _ in range(50):
                    yield [rng.uniform(-1, 1, (1, *SIZE)).astype(np.float32)]

            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
            converter.representative_dataset = samples
            converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = dtype
        return bytes(converter.convert())


def write_onnx(model: Any, path: Path, **options: Any) -> None:
    import tf2onnx

    signature = [load_tensorflow().TensorSpec((None, *SIZE), name="photo")]
    with quiet():
        proto, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=17, **options)
    onnx.save(proto, path)


def checked(
    reference: Path, candidate: Path, photos: Path, *, labels: tuple[str, ...] | None = None, **options: Any
) -> CheckResult:
    """A check of networks that nobody trained, on photos of noise."""
    options = {"input_range": "-1..1", "split": "all", "quick": True, "weak_reference": "allow", **options}
    if labels is not None:
        options["labels"] = candidate.with_suffix(".txt")
        options["labels"].write_text("\n".join(labels), "utf-8")
    return run_check(CheckConfig(reference=reference, candidate=candidate, data=photos, **options))


@pytest.mark.parametrize(
    ("reference", "candidate", "allowed"),
    [
        ("full.keras", "logits.tflite", 1e-5),
        ("full.h5", "scores.tflite", 1e-5),
        ("full_saved", "nchw.onnx", 1e-5),
        ("nhwc.onnx", "logits.tflite", 1e-5),
        ("scores.tflite", "full.keras", 1e-5),
        ("full.keras", "uint8.tflite", 0.1),
        ("nchw.onnx", "int8.tflite", 0.1),
        ("int8.tflite", "full_saved", 0.1),
    ],
)
def test_pair_of_files_of_the_same_network(
    reference: str, candidate: str, allowed: float, files: dict[str, Path], photos: Path
) -> None:
    found = checked(files[reference], files[candidate], photos)
    report = found.report.artifacts[candidate]
    assert found.report.n == 24
    assert report.max_abs_dp <= allowed
    assert report.latency_ms > 0
    if allowed < 0.01:
        assert report.agreement == 1.0
    softened = [note.split()[0] for note in found.report.notes if "softmax applied" in note]
    logits = {"full.keras", "full_saved", "logits.tflite", "uint8.tflite", "nchw.onnx"}
    assert softened == [name for name in (reference, candidate) if name in logits]


def test_wrong_range_shows(files: dict[str, Path], photos: Path) -> None:
    """The same network on other numbers gives other answers: the range is not decoration."""
    found = checked(files["full.keras"], files["logits.tflite"], photos, reference_range="0..1")
    assert found.report.artifacts["logits.tflite"].max_abs_dp > 0.01


def test_quantized_input_of_another_range_says_which(files: dict[str, Path], photos: Path) -> None:
    for name in ("uint8.tflite", "int8.tflite"):
        with pytest.raises(UsageError, match=r"pixels 0\.\.255\. Pass --input-range -1\.\.1\."):
            checked(files["full.keras"], files[name], photos, input_range="0..255")


def test_network_of_any_size_takes_the_size_of_the_other(tmp_path: Path, photos: Path) -> None:
    keras = load_keras()
    pooled = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)]
    )
    pooled.save(tmp_path / "any.keras")
    (tmp_path / "any.tflite").write_bytes(tflite_of(pooled))
    image = keras.Input(SIZE)
    keras.Model(image, pooled(image)).save(tmp_path / "fixed.keras")
    for name in ("any.keras", "any.tflite"):
        found = checked(tmp_path / "fixed.keras", tmp_path / name, photos)
        assert found.report.artifacts[name].max_abs_dp <= 1e-5
    with pytest.raises(UsageError, match="image size"):
        checked(tmp_path / "any.keras", tmp_path / "any.tflite", photos)


def dense(classes: int, size: tuple[int, ...] = SIZE, fill: float | None = None) -> Any:
    keras = load_keras()
    image = keras.Input(size)
    model = keras.Model(
        image, keras.layers.Dense(classes, activation="softmax")(keras.layers.Flatten()(image))
    )
    if fill is not None:
        model.set_weights([np.full(weight.shape, fill, np.float32) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: dense(5), "4 classes.*5 classes"),
        (lambda: dense(4, (8, 8, 3)), "12x10x3.*8x8x3"),
        (lambda: dense(4, (12, 10, 1)), "12x10x3.*12x10x1"),
        (lambda: dense(4, fill=np.nan), "must be numbers"),
        (lambda: dense(1), "two or more"),
        (lambda: dense(4, (360,)), "one image"),
    ],
)
@pytest.mark.parametrize("suffix", [".tflite", ".keras"])
def test_files_that_cannot_be_compared(
    build: Any, words: str, suffix: str, files: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    bad, model = tmp_path / f"bad{suffix}", build()
    if suffix == ".keras":
        model.save(bad)
    else:
        bad.write_bytes(tflite_of(model))
    with pytest.raises(ModelFileError, match=words) as caught:
        checked(files["full.keras"], bad, photos)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("suffix", [".keras", ".tflite", ".onnx"])
def test_two_inputs(suffix: str, files: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    keras = load_keras()
    one, two = keras.Input(SIZE, name="one"), keras.Input(SIZE, name="two")
    joined = keras.layers.Flatten()(keras.layers.Add()([one, two]))
    model = keras.Model([one, two], keras.layers.Dense(4, activation="softmax")(joined))
    bad = tmp_path / f"bad{suffix}"
    if suffix == ".keras":
        model.save(bad)
    elif suffix == ".tflite":
        bad.write_bytes(tflite_of(model))
    else:
        sizes = [onnx.helper.make_tensor_value_info(name, 1, ["n", *SIZE]) for name in ("a", "b")]
        scores = onnx.helper.make_tensor_value_info("c", 1, ["n", *SIZE])
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Add", ["a", "b"], ["c"])], "g", sizes, [scores]
        )
        opset = [onnx.helper.make_opsetid("", 17)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), bad)
    with pytest.raises(ModelFileError, match=r"one input and one output.*2 inputs"):
        checked(files["full.keras"], bad, photos)


def test_labels_must_match_the_outputs(files: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    full, small = files["full.keras"], files["logits.tflite"]
    with pytest.raises(BundleError, match=r"3 labels in --labels, 4 outputs"):
        checked(full, small, photos, labels=("ash", "birch", "oak"))
    fewer = tmp_path / "fewer"
    for name in NAMES[:3]:
        (fewer / name).mkdir(parents=True)
        Image.new("RGB", (10, 12)).save(fewer / name / "0.png")
    with pytest.raises(BundleError, match=r"3 labels in .*fewer, 4 outputs"):
        checked(full, small, fewer)
    # Named, they may come in another order, and some may have no images.
    found = checked(full, small, fewer, labels=NAMES[::-1], missing_classes="allow")
    assert found.report.n == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.tflite", b"TFL3" * 9), ("x.onnx", b"nothing"), ("x.keras", b"PK\x03\x04"), ("x.tflite", b""),
     ("x.pt", b"PK"), ("missing.onnx", None)],
)  # fmt: skip
def test_damaged_and_unknown_files(
    name: str, content: bytes | None, files: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    bad = tmp_path / name
    if content is not None:
        bad.write_bytes(content)
    for pair in ((files["logits.tflite"], bad), (bad, files["logits.tflite"])):
        with pytest.raises(SnapshipError, match=name) as caught:
            checked(*pair, photos)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize("input_range", ["0..255", "0..1", "imagenet"])
def test_file_sees_its_range(input_range: InputRange, tmp_path: Path) -> None:
    """A network that gives back what it is given, in both orders."""
    shown = onnx.helper.make_node("ReduceMax", ["x"], ["y"], axes=[2, 3], keepdims=0)
    graph = onnx.helper.make_graph(
        [shown], "g", [onnx.helper.make_tensor_value_info("x", 1, [1, 3, 2, 2])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 3])],
    )  # fmt: skip
    path = tmp_path / "max.onnx"
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    spec = InputSpec(2, 2)
    file = look_at(path, input_range)
    pixels = np.full((2, 2, 3), (255, 51, 0), dtype=np.uint8)
    wanted = {
        "0..255": (255, 51, 0),
        "0..1": (1, 0.2, 0),
        "imagenet": ((1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, -0.406 / 0.225),
    }[input_range]
    assert np.allclose(file.run(pixels), wanted, atol=1e-5)
    engine = prepared(look_at(path, input_range), spec)
    assert engine.softmax
    assert engine.run(pixels).sum() == pytest.approx(1.0)
    assert (engine.name, engine.input.shape, engine.output.shape) == ("onnxruntime", (1, 2, 2, 3), (1, 3))
