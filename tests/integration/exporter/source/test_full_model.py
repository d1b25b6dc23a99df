"""Sources beside run folders and .keras files, and those that are no source."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError, SnapshipError, UsageError
from edge_runtime.engines import open_engine
from exporter.common.backend import load_keras, load_tensorflow
from exporter.convert.onnx_file import convert_onnx
from exporter.convert.tflite import convert_fp32
from exporter.source import full_model as module
from exporter.source import scoring
from exporter.source.full_model import find_source, freeze, frozen_for_any_batch, load_source
from exporter.source.scoring import FULL_BATCH, engine_scorer, full_scorer


@pytest.fixture
def keras_model(saved: Callable[..., Path]) -> Any:
    return load_keras().models.load_model(saved(plain))


def plain(layers: Any, image: Any) -> Any:
    x = layers.BatchNormalization()(layers.Conv2D(8, 3)(layers.Rescaling(1 / 255)(image)))
    return layers.Flatten()(layers.Dropout(0.4)(x))


@pytest.mark.parametrize("form", ["h5", "export", "tf.saved_model.save"])
def test_source_gives_the_answers_of_its_model(
    form: str, keras_model: Any, noise: np.ndarray, tmp_path: Path
) -> None:
    place = tmp_path / ("model.h5" if form == "h5" else "model")
    if form == "h5":
        keras_model.save(place)
    elif form == "export":
        keras_model.export(place, verbose=False)
    else:
        tensorflow = load_tensorflow()
        holder = tensorflow.Module()
        holder.model = keras_model
        spec = tensorflow.TensorSpec((None, 12, 10, 3), tensorflow.float32)
        holder.serve = tensorflow.function(
            lambda photo: {"p": keras_model(photo, training=False)}, input_signature=[spec]
        )
        tensorflow.saved_model.save(holder, str(place), signatures=holder.serve)
    full = load_source(find_source(place))
    assert (full.keras is None) == (form != "h5")
    assert (full.input.shape, full.classes) == ((12, 10, 3), 4)
    reference = keras_model.predict(noise.astype(np.float32), verbose=0)
    assert np.abs(full_scorer(full)(noise) - reference).max() <= 1e-5
    for data, kind in ((convert_fp32(freeze(full)), "tflite"), (convert_onnx(full), "onnx")):
        engine = open_engine(data, kind, kind)  # type: ignore[arg-type]
        assert np.abs(engine_scorer(engine, 4)(noise) - reference).max() <= 1e-5


def test_constants_are_made_once_for_scores_and_conversions_and_go_with_the_model(
    saved: Callable[..., Path], noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int | None] = []

    def counted(model: Any, batch: int | None = 1) -> Any:
        made.append(batch)
        return freeze(model, batch)

    monkeypatch.setattr(module, "freeze", counted)
    full = load_source(find_source(saved(plain)))
    scores = full_scorer(full)(noise)
    convert_onnx(full)
    assert made == [None]
    # What is not called by its name gives what the function gives.
    batch = load_tensorflow().constant(noise[:8].astype(np.float32))
    np.testing.assert_array_equal(scores[:8], frozen_for_any_batch(full)(batch)[0].numpy())
    # Another model of the same kind has constants of its own, and those of a large one are not kept.
    other = replace(full, keras=load_keras().models.clone_model(full.keras))
    frozen_for_any_batch(other)
    assert made == [None, None]
    monkeypatch.setattr(module, "_MOST_CONSTANT_BYTES", 8)
    assert frozen_for_any_batch(full) is not frozen_for_any_batch(full)
    gone = weakref.ref(full)
    del full, other
    gc.collect()
    assert gone() is None


def test_full_model_sees_batches_of_one_size(
    saved: Callable[..., Path], noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, sizes, graph = load_source(find_source(saved(plain))), [], scoring._graph

    def watched(model: Any) -> Callable[[Any], Any]:
        call = graph(model)

        def counted(batch: Any) -> Any:
            sizes.append(len(batch))
            return call(batch)

        return counted

    monkeypatch.setattr(scoring, "_graph", watched)
    scorer, pixels = full_scorer(full), np.resize(noise, (FULL_BATCH + 1, *noise.shape[1:]))
    scores = scorer(pixels)
    assert sizes == [FULL_BATCH] * 2
    np.testing.assert_array_equal(scores[-1:], scorer(pixels[-1:]))


def test_saved_model_with_augmentation_left_in(saved: Callable[..., Path], tmp_path: Path) -> None:
    load_keras().models.load_model(saved()).export(tmp_path / "model", verbose=False)
    with pytest.raises(ModelFileError, match=r"Random.* in layer '.*random_flip.*pass the \.keras file"):
        load_source(find_source(tmp_path / "model"))


def test_saved_model_is_hashed_with_its_weights(keras_model: Any, tmp_path: Path) -> None:
    keras_model.export(tmp_path / "model", verbose=False)
    before = find_source(tmp_path / "model")
    assert before.name == "model"
    assert find_source(tmp_path / "model" / "saved_model.pb").sha256 == before.sha256
    weights = next((tmp_path / "model" / "variables").glob("*.data*"))
    weights.write_bytes(weights.read_bytes() + b"x")
    assert find_source(tmp_path / "model").sha256 != before.sha256


def test_normalisation_of_another_range_goes_into_the_artifacts(
    saved: Callable[..., Path], noise: np.ndarray
) -> None:
    path = saved(lambda layers, x: layers.Flatten()(layers.Conv2D(4, 3)(x)))
    full = load_source(find_source(path), "-1..1")
    assert full.keras is None
    wanted = load_keras().models.load_model(path).predict(noise / np.float32(127.5) - 1, verbose=0)
    assert np.ptp(wanted) > 0.01
    engine = open_engine(convert_fp32(freeze(full)), "tflite", "x")
    assert np.abs(engine_scorer(engine, 4)(noise) - wanted).max() <= 1e-5


def layer_of(operation: str, keras: Any, tensorflow: Any) -> Any:
    """A layer of a user's own that no artifact can hold."""

    @keras.saving.register_keras_serializable("tests")
    class Own(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**{"name": "my_own_layer", **options})
            keys = tensorflow.range(256, dtype=tensorflow.int64)
            values = tensorflow.range(256, dtype=tensorflow.float32)
            filled = tensorflow.lookup.KeyValueTensorInitializer(keys, values)
            self.table = tensorflow.lookup.StaticHashTable(filled, 0.0)

        def call(self, inputs: Any) -> Any:
            if operation == "EagerPyFunc":
                doubled = tensorflow.py_function(lambda value: 2 * value, [inputs], tensorflow.float32)
                doubled.set_shape(inputs.shape)
                return doubled
            if operation == "LookupTableFindV2":
                return self.table.lookup(tensorflow.cast(inputs, tensorflow.int64))
            return tensorflow.math.igamma(tensorflow.ones_like(inputs), tensorflow.abs(inputs))

    return Own()


@pytest.mark.parametrize("operation", ["EagerPyFunc", "LookupTableFindV2", "Igamma"])
def test_operation_that_no_artifact_holds_is_named_with_its_layer(
    operation: str, saved: Callable[..., Path]
) -> None:
    keras, tensorflow = load_keras(), load_tensorflow()
    path = saved(lambda layers, x: layers.Flatten()(layer_of(operation, keras, tensorflow)(x)))
    full = load_source(find_source(path))
    for convert in (lambda: convert_fp32(freeze(full)), lambda: convert_onnx(full)):
        with pytest.raises(ModelFileError, match=rf"operation {operation} in layer 'my_own_layer") as caught:
            convert()
        assert "\n" not in str(caught.value)
        assert "Replace" in str(caught.value)


def test_code_of_the_users_own_is_not_loaded_and_the_way_out_is_said(
    saved: Callable[..., Path],
) -> None:
    keras, tensorflow = load_keras(), load_tensorflow()
    path = saved(lambda layers, x: layers.Flatten()(layer_of("Igamma", keras, tensorflow)(x)))
    keras.saving.get_custom_objects().pop("tests>Own")
    with pytest.raises(ModelFileError, match=r"Could not locate class 'Own'.*model\.export") as caught:
        load_source(find_source(path))
    assert "\n" not in str(caught.value)


def two_inputs(keras: Any) -> Any:
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    joined = keras.layers.Flatten()(keras.layers.Add()([one, two]))
    return keras.Model([one, two], keras.layers.Dense(4, activation="softmax")(joined))


def not_a_number(keras: Any) -> Any:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(image)))
    model.layers[-1].set_weights([np.full((192, 4), np.nan, np.float32), np.zeros(4, np.float32)])
    return model


def no_softmax(keras: Any) -> Any:
    image = keras.Input((8, 8, 3))
    return keras.Model(image, keras.layers.Dense(4, use_bias=True)(keras.layers.Flatten()(image)))


def no_image(keras: Any) -> Any:
    row = keras.Input((30,))
    return keras.Model(row, keras.layers.Dense(4, activation="softmax")(row))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (two_inputs, "2 inputs, 1 outputs"),
        (not_a_number, "must return numbers"),
        (no_softmax, "softmax layer"),
        (no_image, r"\[None, 30\] -> \[None, 4\]"),
    ],
)
@pytest.mark.parametrize("form", ["keras", "saved-model"])
def test_models_that_are_no_source(
    build: Callable[[Any], Any], words: str, form: str, tmp_path: Path
) -> None:
    model = build(load_keras())
    place = tmp_path / ("model.keras" if form == "keras" else "model")
    if form == "keras":
        model.save(place)
    else:
        model.export(place, verbose=False)
    with pytest.raises(ModelFileError, match=words) as caught:
        load_source(find_source(place))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_damaged_saved_model(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for content in (b"", b"hello", b"\x08\x01\x12\x40" + b"\xff" * 40):
        (folder / "saved_model.pb").write_bytes(content)
        with pytest.raises(SnapshipError) as caught:
            load_source(find_source(folder))
        assert "\n" not in str(caught.value)


def test_saved_model_without_a_signature(tmp_path: Path) -> None:
    tensorflow = load_tensorflow()
    module = tensorflow.Module()
    module.weight = tensorflow.Variable(1.0)
    tensorflow.saved_model.save(module, str(tmp_path / "model"))
    with pytest.raises(ModelFileError, match=r"serving_default.*model\.export"):
        load_source(find_source(tmp_path / "model"))


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_model_that_keras_quantized_is_no_source(mode: str, saved: Callable[..., Path]) -> None:
    path = saved()
    model = load_keras().models.load_model(path)
    model.quantize(mode)
    model.save(path)
    with pytest.raises(
        ModelFileError, match=rf"quantized by model\.quantize\('{mode}'\)\. Export the float model"
    ):
        load_source(find_source(path))


def test_quantization_aware_training_is_no_source(
    saved: Callable[..., Path], tmp_path: Path, noise: np.ndarray
) -> None:
    tensorflow = load_tensorflow()
    model = load_keras().models.load_model(saved(plain))

    def serve(photo: Any) -> Any:
        return model(tensorflow.quantization.fake_quant_with_min_max_args(photo, 0.0, 255.0), training=False)

    module = tensorflow.Module()
    module.model = model
    spec = tensorflow.TensorSpec((None, 12, 10, 3), tensorflow.float32)
    module.serve = tensorflow.function(serve, input_signature=[spec])
    tensorflow.saved_model.save(module, str(tmp_path / "qat"), signatures=module.serve)
    with pytest.raises(
        ModelFileError, match=r"quantized by quantization-aware training\. Export the float model"
    ):
        load_source(find_source(tmp_path / "qat"))


@pytest.mark.parametrize("kind", ["QuantizeWrapperV2", "TFMOT>QuantizeLayer"])
def test_layers_of_quantization_aware_training_are_named(
    kind: str, saved: Callable[..., Path], tmp_path: Path
) -> None:
    import json

    import h5py

    load_keras().models.load_model(saved(plain)).save(tmp_path / "qat.h5")
    with h5py.File(tmp_path / "qat.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["class_name"] = kind
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ModelFileError, match=r"was quantized in training: export the float model"):
        load_source(find_source(tmp_path / "qat.h5"))


@pytest.mark.parametrize("name", ["small.tflite", "small_int8.ONNX"])
def test_file_that_was_converted_already_is_no_source(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=r"before conversion.*snapship check --reference"):
        find_source(tmp_path / name)
