"""Weights files: those that fit, and one line for those that do not."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from trainer import models
from trainer.models.weights import has_head

SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights of a narrow network with and without its head, and of another architecture."""
    import keras

    folder = tmp_path_factory.mktemp("weights")
    narrow = {"input_shape": SHAPE, "alpha": 0.35, "weights": None}
    nets = {
        "top": keras.applications.MobileNetV2(**narrow),
        "no_top": keras.applications.MobileNetV2(include_top=False, **narrow),
        "other": models.build("small_cnn", input_shape=SHAPE, classes=2),
    }
    paths = {}
    for name, net in nets.items():
        paths[name] = folder / f"{name}.weights.h5"
        net.save_weights(paths[name])
    return paths


def build(weights: Path, classes: int = 3, width: float = 0.35) -> Any:
    return models.build("mobilenet_v2", input_shape=SHAPE, classes=classes, weights=weights, width=width)


def kernel(model: Any) -> np.ndarray[Any, Any]:
    return np.asarray(model.get_layer("Conv1").get_weights()[0])


def test_file_with_and_without_head_both_fit(files: dict[str, Path]) -> None:
    assert has_head(files["top"], 3)
    assert not has_head(files["no_top"], 3)
    first, second = build(files["top"]), build(files["no_top"])
    assert first.output_shape == second.output_shape == (None, 3)
    assert not np.array_equal(kernel(first), kernel(second))
    np.testing.assert_array_equal(kernel(first), kernel(build(files["top"])))


def test_file_that_fits_is_loaded_whole(files: dict[str, Path]) -> None:
    import keras

    theirs = keras.applications.MobileNetV2(input_shape=SHAPE, alpha=0.35, include_top=False, weights=None)
    theirs.load_weights(files["no_top"])
    ours = build(files["no_top"])
    for layer in theirs.layers:
        if layer.weights:
            mine = ours.get_layer(layer.name).get_weights()
            for left, right in zip(layer.get_weights(), mine, strict=True):
                np.testing.assert_array_equal(left, right)


def test_published_head_is_kept_for_its_thousand_classes(files: dict[str, Path]) -> None:
    first, second = build(files["top"], 1000), build(files["top"], 1000)
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_width_architecture_or_a_cut_file_is_one_line(files: dict[str, Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut.weights.h5"
    cut.write_bytes(files["no_top"].read_bytes()[:5000])
    for path, width in ((files["no_top"], 0.5), (files["top"], 1.0), (files["other"], 0.35), (cut, 0.35)):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            with pytest.raises(UsageError, match="must fit the model and its width") as caught:
                build(path, width=width)
        assert not [str(line.message) for line in told if line.category is UserWarning]
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_imagenet_head_answers_as_keras_does(shared: Path) -> None:
    import keras

    path = shared / "weights" / "mobilenet_v2_1.0_224_imagenet.weights.h5"
    ours = models.build("mobilenet_v2", input_shape=(224, 224, 3), classes=1000, weights=path)
    theirs = keras.applications.MobileNetV2(weights=path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
    scaled = keras.applications.mobilenet_v2.preprocess_input(pixels.copy())
    np.testing.assert_allclose(
        np.asarray(ours.predict_on_batch(pixels)), np.asarray(theirs.predict_on_batch(scaled)), atol=1e-5
    )
