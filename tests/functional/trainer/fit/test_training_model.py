"""The model that is fitted: its loss is Keras' own, and its core is left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer import models
from trainer.augmentation import target_layer
from trainer.fit.training_model import accuracy, as_logits, loss, training_model

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 1, 0], np.int32)


@pytest.fixture
def core() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return models.build("small_cnn", input_shape=(16, 16, 3), classes=3)


def test_loss_and_accuracy_are_those_of_the_scores(core: Any) -> None:
    import keras

    scores = np.asarray(core.predict_on_batch(IMAGES.astype(np.float32)))
    with as_logits(core):
        model = training_model(core, (16, 16, 3), "uint8", None, target_layer((), 3, 0))
        output = model.predict_on_batch({"image": IMAGES, "label": LABELS})
    wanted = keras.losses.sparse_categorical_crossentropy(LABELS, scores)
    np.testing.assert_allclose(np.asarray(loss(None, output)), np.asarray(wanted), rtol=1e-4)
    np.testing.assert_array_equal(np.asarray(accuracy(None, output)), scores.argmax(axis=1) == LABELS)


def test_gradient_of_a_weighted_target_is_the_weighted_gradient() -> None:
    import tensorflow

    logits = tensorflow.Variable([[0.3, -0.2, 0.1], [1.0, 0.5, -1.0]])
    targets = np.array([[0.25, 0.0, 0.0], [0.0, 4.0, 0.0]], np.float32)
    with tensorflow.GradientTape() as tape:
        value = loss(None, tensorflow.concat([logits, targets], axis=1))
    scores = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    weights = targets.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(value, logits), weights * scores - targets, atol=1e-6)


def test_as_logits_gives_the_softmax_back_even_after_an_error(core: Any) -> None:
    before = np.asarray(core(IMAGES.astype(np.float32)))
    with pytest.raises(KeyError), as_logits(core):  # noqa: PT012
        assert not np.allclose(np.asarray(core(IMAGES.astype(np.float32))).sum(axis=1), 1.0)
        raise KeyError
    np.testing.assert_array_equal(np.asarray(core(IMAGES.astype(np.float32))), before)


def test_fitting_the_training_model_trains_the_core(core: Any) -> None:
    before = core.get_weights()
    with as_logits(core):
        model = training_model(core, (16, 16, 3), "uint8", None, target_layer((), 3, 0))
        model.compile(optimizer="adam", loss=loss, metrics=[accuracy], jit_compile=False)
        model.fit({"image": IMAGES, "label": LABELS}, LABELS, epochs=1, verbose=0)
    assert any(not np.array_equal(a, b) for a, b in zip(before, core.get_weights(), strict=True))
