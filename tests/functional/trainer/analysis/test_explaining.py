"""Filters, feature maps and explanations, of plain models and of odd ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer import models
from trainer.analysis.explaining import Subject, explain
from trainer.analysis.layers import CHANNELS, FeatureMapper, NothingToShowError, first_filters
from trainer.core.backend import load_keras

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 16, 3), dtype=np.uint8)
LABELS = ("a", "b", "c")


def nested() -> Any:
    keras = load_keras()
    inner = keras.Sequential(
        [keras.Input((20, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.Conv2D(4, 3)], name="inner"
    )
    image = keras.Input((20, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(inner(image))
    return keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))


def test_filters_are_the_first_kernels_around_mid_gray() -> None:
    keras = load_keras()
    image = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(2, (1, 3), name="first")(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(x))
    kernel = np.array([[1.0, -2.0, 0.0], [0.0, 0.0, 4.0]], np.float32).T.reshape(1, 3, 1, 2)
    model.get_layer("first").set_weights([kernel, np.zeros(2, np.float32)])
    found = first_filters(model)
    assert (found.layer, found.total) == ("first", 2)
    # 127.5 + 127.5 * weight / largest weight, each kernel by its own largest.
    assert found.pictures[0, 0, :, 0].tolist() == [191, 0, 128]
    assert found.pictures[1, 0, :, 0].tolist() == [128, 128, 255]


def test_filters_of_a_model_without_convolution_are_refused() -> None:
    keras = load_keras()
    image = keras.Input((4, 4, 1))
    with pytest.raises(NothingToShowError, match="no convolution"):
        first_filters(keras.Model(image, keras.layers.Flatten()(image)))


def test_feature_maps_are_the_layer_s_own_numbers() -> None:
    model = models.build("small_cnn", input_shape=(20, 16, 3), classes=3)
    keras = load_keras()
    found = FeatureMapper(model).of(IMAGE)
    assert [maps.layer for maps in found] == ["conv1", "conv2", "pool2"]
    for maps in found:
        direct = keras.Model(model.input, model.get_layer(maps.layer).output)
        values = np.asarray(direct.predict(IMAGE[None].astype(np.float32), verbose=0))[0]
        order = np.argsort(-values.std(axis=(0, 1)), kind="stable")[:CHANNELS]
        assert maps.total == values.shape[2]
        assert np.allclose(maps.maps, np.moveaxis(values[..., order], 2, 0), atol=1e-4)


def subject(truth: int | None = None) -> Subject:
    return Subject(IMAGE, "photo.jpg", np.array([0.2, 0.7, 0.1], np.float32), truth)


@pytest.mark.parametrize(("truth", "heats"), [(None, ["b"]), (1, ["b"]), (2, ["b", "c"])])
def test_heat_of_the_answer_and_of_the_truth_where_it_is_another(truth: int | None, heats: list[str]) -> None:
    model = models.build("small_cnn", input_shape=(20, 16, 3), classes=3)
    found = explain(model, [subject(truth)], LABELS)
    assert found.missing == ()
    assert found.layer == "conv2"
    (entry,) = found.entries
    assert [heat.label for heat in entry.heats] == heats
    assert [strip.layer for strip in entry.strips] == ["conv1", "conv2", "pool2"]
    assert all(part.image.startswith("data:image/") for part in (*entry.heats, *entry.strips))


def test_time_limit_still_explains_one_image() -> None:
    model = models.build("small_cnn", input_shape=(20, 16, 3), classes=3)
    assert len(explain(model, [subject()] * 3, LABELS, seconds=0.0).entries) == 1
    assert len(explain(model, [subject()] * 3, LABELS).entries) == 3


def no_map() -> Any:
    keras = load_keras()
    image = keras.Input((20, 16, 3))
    return keras.Model(image, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(image)))


@pytest.mark.parametrize(
    ("make", "reason"), [(no_map, "no feature map"), (lambda: object(), "AttributeError")]
)
def test_what_cannot_be_shown_is_a_line_and_no_error(make: Any, reason: str) -> None:
    found = explain(make(), [subject()], LABELS)
    assert len(found.entries) == 1
    assert found.entries[0].heats == found.entries[0].strips == ()
    assert any(line.startswith("Grad-CAM: not available.") and reason in line for line in found.missing)
    assert all("\n" not in line for line in found.missing)


def test_nested_model_is_explained_or_left_out() -> None:
    found = explain(nested(), [subject()], LABELS)
    (entry,) = found.entries
    assert bool(entry.heats) != any("Grad-CAM" in line for line in found.missing)
    assert bool(entry.strips) != any("Feature maps" in line for line in found.missing)
