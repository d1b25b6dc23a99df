"""SavedModels of every common form become a frozen backbone that its file holds whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError, UsageError
from trainer import models
from trainer.core.backend import load_keras
from trainer.models.frozen_graph import layer_class, pack, unpack
from trainer.models.saved_model import freeze_saved_model

SIZE = 48
SHAPE = (SIZE, SIZE, 3)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A Keras network that gives feature maps, and its ``export``."""
    keras = load_keras()
    keras.utils.set_random_seed(3)
    network = keras.applications.MobileNetV2(input_shape=SHAPE, alpha=0.35, include_top=False, weights=None)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # One step takes over the statistics of some noise, so that no signal fades away.
            layer.momentum = 0.0
    network(np.random.default_rng(1).uniform(0, 1, (8, *SHAPE)).astype(np.float32), training=True)
    folder = tmp_path_factory.mktemp("mobilenet") / "saved"
    network.export(folder, verbose=False)
    return network, folder


def hub_module(tensorflow: Any, folder: Path, *, size: int | None = SIZE, training: bool = True) -> Any:
    """What a TF2 Hub feature vector looks like: ``__call__(x, training)`` and ``trainable_variables``."""
    spec = tensorflow.TensorSpec((None, size, size, 3), tensorflow.float32)

    class Hub(tensorflow.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            numbers = np.random.default_rng(1)
            self.kernel = tensorflow.Variable(numbers.normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32))
            self.mean = tensorflow.Variable(numbers.normal(0, 0.1, 8).astype(np.float32), trainable=False)
            self.trainable_variables_ = [self.kernel]

        def features(self, x: Any, training: bool) -> Any:
            x = tensorflow.nn.conv2d(x, self.kernel, 2, "SAME")
            if training:
                return tensorflow.nn.dropout(tensorflow.reduce_mean(x, (1, 2)), 0.5)
            return tensorflow.reduce_mean(tensorflow.nn.relu6(x - self.mean), (1, 2))

    module = Hub()
    if training:
        call = tensorflow.function(lambda x, training=False: module.features(x, training), autograph=False)
        for mode in (True, False):
            call.get_concrete_function(spec, training=mode)
    else:
        call = tensorflow.function(
            lambda x: module.features(x, False), input_signature=[spec], autograph=False
        )
    holder = tensorflow.train.Checkpoint(module=module)
    holder.__call__ = call
    tensorflow.saved_model.save(holder, folder)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pixel_range", "scaled"),
    [
        (None, lambda x: x / 255),
        ("0..1", lambda x: x / 255),
        ("-1..1", lambda x: x / 127.5 - 1),
        ("0..255", lambda x: x),
    ],
)
def test_features_are_those_of_the_saved_model(
    mobilenet: tuple[Any, Path], pixels: np.ndarray, pixel_range: str | None, scaled: Callable[[Any], Any]
) -> None:
    keras = load_keras()
    network, folder = mobilenet
    model = models.build(
        "feature_extractor", input_shape=SHAPE, classes=4, weights=folder, pixel_range=pixel_range
    )
    assert [layer.name for layer in model.layers][-3:] == ["features", "head_dropout", "scores"]
    found = keras.Model(model.input, model.get_layer("features").output).predict(pixels, verbose=0)
    wanted = network.predict(scaled(pixels), verbose=0).mean(axis=(1, 2))
    assert wanted.std(axis=0).max() > 0.01
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    # The numbers are variables of the model, of which only the head's can train.
    assert model.count_params() == network.count_params() + 4 * 1281
    assert [weight.path for weight in model.trainable_weights] == ["scores/kernel", "scores/bias"]


def test_file_needs_neither_the_saved_model_nor_this_process(
    mobilenet: tuple[Any, Path], pixels: np.ndarray, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(mobilenet[1], folder)
    model = models.build("feature_extractor", input_shape=SHAPE, classes=4, weights=folder)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "pixels.npy", pixels)
    shutil.rmtree(folder)
    code = (
        "import numpy; from pathlib import Path; from exporter.common.backend import load_keras_model\n"
        "model = load_keras_model(Path('model.keras'))\n"
        "numpy.save('scores.npy', model.predict(numpy.load('pixels.npy'), verbose=0))"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=_environment(), check=True, capture_output=True
    )
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), model.predict(pixels, verbose=0), atol=1e-6)


def test_backbone_stays_as_it_is_when_everything_is_told_to_train(
    mobilenet: tuple[Any, Path], pixels: np.ndarray
) -> None:
    model = models.build("feature_extractor", input_shape=SHAPE, classes=2, weights=mobilenet[1])
    model.trainable = True
    for layer in model.layers:
        layer.trainable = True
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = [number.copy() for number in model.get_layer("backbone").get_weights()]
    head = model.get_layer("scores").get_weights()[0].copy()
    model.train_on_batch(pixels, np.array([0, 1, 0]))
    for old, new in zip(before, model.get_layer("backbone").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(head, model.get_layer("scores").get_weights()[0])


@pytest.mark.parametrize(("size", "training"), [(SIZE, True), (None, True), (None, False)])
def test_hub_feature_vectors_are_called_in_inference(
    tmp_path: Path, pixels: np.ndarray, size: int | None, training: bool
) -> None:
    keras = load_keras()
    import tensorflow

    module = hub_module(tensorflow, tmp_path, size=size, training=training)
    model = models.build("feature_extractor", input_shape=SHAPE, classes=3, weights=tmp_path)
    found = keras.Model(model.input, model.get_layer("features").output).predict(pixels, verbose=0)
    np.testing.assert_allclose(found, module.features(pixels / 255, False).numpy(), atol=1e-5)


def test_signature_named_default_is_that_of_tf1_hub(tmp_path: Path, pixels: np.ndarray) -> None:
    import tensorflow

    v1 = tensorflow.compat.v1
    with tensorflow.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tensorflow.float32, (None, SIZE, SIZE, 3), name="images")
        kernel = v1.get_variable("kernel", (3, 3, 3, 20), initializer=v1.ones_initializer())
        vector = tensorflow.reduce_mean(tensorflow.nn.conv2d(images, kernel, 2, "SAME"), (1, 2))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(tmp_path / "hub"))
        signature = v1.saved_model.predict_signature_def(
            {"images": images}, {"default": vector, "two": vector * 2}
        )
        # As TF1 Hub writes them: no tag, and a file of its own that says so.
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"default": signature})
        builder.save()
        wanted = session.run(vector, {images: pixels / 255})
    (tmp_path / "hub" / "tfhub_module.pb").write_bytes(b"\x08\x03")
    keras = load_keras()
    model = models.build("feature_extractor", input_shape=SHAPE, classes=3, weights=tmp_path / "hub")
    found = keras.Model(model.input, model.get_layer("features").output).predict(pixels, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_gray_images_are_repeated(mobilenet: tuple[Any, Path], pixels: np.ndarray) -> None:
    gray = models.build("feature_extractor", input_shape=(SIZE, SIZE, 1), classes=2, weights=mobilenet[1])
    colour = models.build("feature_extractor", input_shape=SHAPE, classes=2, weights=mobilenet[1])
    colour.set_weights(gray.get_weights())
    np.testing.assert_allclose(
        gray.predict(pixels[..., :1], verbose=0),
        colour.predict(np.repeat(pixels[..., :1], 3, -1), verbose=0),
        atol=1e-6,
    )


def test_what_is_no_feature_extractor_is_one_line(mobilenet: tuple[Any, Path], tmp_path: Path) -> None:
    import tensorflow

    (tmp_path / "empty").mkdir()
    (tmp_path / "file.tar.gz").write_bytes(b"x")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"not a graph")
    plain = tensorflow.Module()
    plain.f = tensorflow.function(
        lambda x: tensorflow.reduce_sum(x, (1, 2, 3)),
        input_signature=[tensorflow.TensorSpec((None, SIZE, SIZE, 3), tensorflow.float32)],
    )
    tensorflow.saved_model.save(plain, tmp_path / "rank1", signatures=plain.f)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"weights": None}, "must have a SavedModel"),
        ({"weights": "imagenet"}, "must have a SavedModel"),
        ({"weights": tmp_path / "gone"}, "which does not exist"),
        ({"weights": tmp_path / "file.tar.gz"}, "unpack it first"),
        ({"weights": tmp_path / "empty"}, "must contain saved_model.pb"),
        ({"weights": tmp_path / "damaged"}, "must load in TensorFlow"),
        ({"weights": tmp_path / "rank1"}, r"not float \[batch, n\]"),
        ({"input_shape": (64, 64, 3)}, r"it accepts \[None, 48, 48, 3\] float32. Pass a matching --size"),
        ({"pixel_range": "0..2"}, "Use one of: 0..1, -1..1, 0..255"),
        ({"width": 0.5}, "width 1.0"),
    ]
    for options, words in cases:
        given = {"input_shape": SHAPE, "classes": 2, "weights": mobilenet[1]} | options
        with pytest.raises(UsageError, match=words) as caught:
            models.build("feature_extractor", **given)
        assert "\n" not in str(caught.value)
        assert "Received:" in str(caught.value)
    with pytest.raises(UsageError, match="pixel_range is for feature_extractor only"):
        models.build("small_cnn", input_shape=SHAPE, classes=2, pixel_range="0..1")


def test_graph_with_files_or_state_is_refused(tmp_path: Path) -> None:
    import tensorflow

    marker = tmp_path / "marker"
    marker.write_bytes(b"\0" * 64)

    class Reads(tensorflow.Module):  # type: ignore[misc,name-defined]
        @tensorflow.function(input_signature=[tensorflow.TensorSpec((None, SIZE, SIZE, 3))])
        def __call__(self, x: Any) -> Any:
            read = tensorflow.io.decode_raw(tensorflow.io.read_file(str(marker)), tensorflow.float32)
            return tensorflow.reduce_mean(x, (1, 2)) + tensorflow.reduce_sum(read)

    tensorflow.saved_model.save(Reads(), tmp_path / "reads")
    with pytest.raises(ModelFileError, match=r"plain arithmetic.*Received: the operation"):
        freeze_saved_model(tmp_path / "reads", SHAPE)


def test_saved_model_in_half_precision_is_refused(tmp_path: Path) -> None:
    import tensorflow

    class Half(tensorflow.Module):  # type: ignore[misc,name-defined]
        @tensorflow.function(input_signature=[tensorflow.TensorSpec((None, SIZE, SIZE, 3))])
        def __call__(self, x: Any) -> Any:
            return tensorflow.reduce_mean(tensorflow.cast(x, tensorflow.bfloat16), (1, 2))

    tensorflow.saved_model.save(Half(), tmp_path / "half")
    with pytest.raises(ModelFileError, match="must compute in float32"):
        freeze_saved_model(tmp_path / "half", SHAPE)


def test_hostile_layer_in_a_model_file_is_refused() -> None:
    import tensorflow

    load_keras()
    with tensorflow.Graph().as_default() as graph:
        tensorflow.io.write_file("/tmp/never", "text")
    with pytest.raises(ModelFileError, match="Received: the operation"):
        layer_class()(pack(graph.as_graph_def()), [], [None, 3])
    with pytest.raises(ModelFileError, match="must be intact"):
        unpack("AAAA")
    bomb = tensorflow.compat.v1.GraphDef()
    bomb.node.add(name="a" * (65 * 2**20), op="NoOp")
    with pytest.raises(ModelFileError, match="must be intact"):
        unpack(pack(bomb))


def test_other_backends_are_told_to_use_tensorflow(mobilenet: tuple[Any, Path]) -> None:
    for backend in ("jax", "torch"):
        code = (
            f"import importlib.util, sys; importlib.util.find_spec({backend!r}) or sys.exit(77)\n"
            "from trainer import models\n"
            f"models.build('feature_extractor', input_shape=(48, 48, 3), classes=2, weights={str(mobilenet[1])!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env={**_environment(), "KERAS_BACKEND": backend},
            capture_output=True, text=True,
        )  # fmt: skip
        assert (
            done.returncode == 77 or "must run on Keras' TensorFlow backend" in done.stderr.splitlines()[-1]
        )


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[4])}
