"""Where the freeze ends: the cut is a single tensor, and the halves together are the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer import models
from trainer.fit.transfer import backbone_layers, last_cut, set_trainable, split_model
from trainer.models.pretrained import FEATURES

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def mobilenet() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return models.build("mobilenet_v2", input_shape=(32, 32, 3), classes=4, width=0.35)


@pytest.mark.parametrize("unfreeze", [1, 5, 20, 44, 100])
def test_halves_together_are_the_whole(mobilenet: Any, unfreeze: int) -> None:
    cut = last_cut(mobilenet, set_trainable(mobilenet, unfreeze, batch_norm=False))
    front, tail = split_model(mobilenet, cut)
    through = tail.predict_on_batch(front.predict_on_batch(IMAGES))
    np.testing.assert_allclose(through, mobilenet.predict_on_batch(IMAGES), atol=1e-6)
    assert not front.trainable_weights
    assert tail.trainable_weights


def test_cut_within_a_residual_block_lies_before_it(mobilenet: Any) -> None:
    names = [layer.name for layer in mobilenet.layers]
    inside = names.index("block_12_project")
    assert names[last_cut(mobilenet, inside)] == "block_11_add"
    assert names[last_cut(mobilenet, names.index("block_12_add") + 1)] == "block_12_add"


def test_cut_of_a_chain_is_the_layer_before(mobilenet: Any) -> None:
    import keras

    inputs = keras.Input((4,))
    x = keras.layers.Dense(3)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.ReLU()(x)))
    assert [last_cut(model, first) for first in (1, 2, 3)] == [0, 1, 2]


def test_set_trainable_counts_backbone_layers_from_the_end(mobilenet: Any) -> None:
    import keras

    backbone = backbone_layers(mobilenet)
    assert backbone[-1].name == FEATURES
    first = set_trainable(mobilenet, 20, batch_norm=False)
    assert mobilenet.layers[first] is backbone[-20]
    normalising = [layer for layer in backbone[-20:] if isinstance(layer, keras.layers.BatchNormalization)]
    assert normalising
    assert not any(layer.trainable for layer in normalising)
    assert all(layer.trainable for layer in backbone[-20:] if layer not in normalising)
    assert not any(layer.trainable for layer in backbone[:-20])
    assert mobilenet.get_layer("scores").trainable
    set_trainable(mobilenet, 20, batch_norm=True)
    assert all(layer.trainable for layer in normalising)
    assert set_trainable(mobilenet, "all", batch_norm=False) == 1
