"""Makes ``tests/data/keras2``: model files of Keras 2, and what they answer there.

Run it with TensorFlow 2.15 (``pip install tensorflow-cpu==2.15.1``), which writes what Keras 3 no
longer can: layers with keys that have one legal value, models within models, names with a slash.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

HERE = Path(__file__).parent / "keras2"
SIZE = 12


def blocks(image: Any) -> Any:
    layers = keras.layers
    x = layers.Conv2D(4, 3, name="Conv/first")(image)
    x = layers.BatchNormalization(name="Conv/BatchNorm")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.SeparableConv2D(4, 3, kernel_regularizer="l2")(x)
    x = layers.SpatialDropout2D(0.2)(x)
    return layers.Conv2DTranspose(4, 3, activation="relu")(x)


def nested() -> Any:
    """As Teachable Machine builds them: a sequential model of two, the first around a functional one."""
    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3))
    base = keras.Model(image, blocks(image), name="base")
    features = keras.Sequential([keras.Input((SIZE, SIZE, 3)), base, layers.GlobalAveragePooling2D()])
    head = keras.Sequential([layers.Dense(6, activation="relu"), layers.Dense(3, activation="softmax")])
    model = keras.Sequential([features, head])
    model.build((None, SIZE, SIZE, 3))
    return model


def functional() -> Any:
    """A functional model around one that is called twice."""
    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3))
    base = keras.Model(image, blocks(image), name="base")
    taken = keras.Input((SIZE, SIZE, 3))
    both = layers.Concatenate()([base(taken), base(layers.Rescaling(0.5)(taken))])
    scores = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(both))
    return keras.Model(taken, scores)


def plain() -> Any:
    """A sequential model whose first layer says the input's shape, in mixed precision."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.DepthwiseConv2D(3, input_shape=(SIZE, SIZE, 3)),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )
    keras.mixed_precision.set_global_policy("float32")
    return model


def main() -> None:
    assert keras.__version__.startswith("2."), keras.__version__
    HERE.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    image = np.linspace(0, 1, SIZE * SIZE * 3, dtype=np.float32).reshape(1, SIZE, SIZE, 3)
    answers = {}
    for name, make in (("nested", nested), ("functional", functional), ("plain", plain)):
        model = make()
        # Other than what they start with, and variances that are positive.
        model.set_weights(
            [
                rng.uniform(0.5, 1.5, weight.shape) if "variance" in weight.name
                else rng.normal(0.05, 0.3, weight.shape)
                for weight in model.weights
            ]
        )  # fmt: skip
        for suffix in ("h5", "keras"):
            model.save(HERE / f"{name}.{suffix}")
        answers[name] = np.asarray(model(image, training=False))[0].round(6).tolist()
    image = keras.Input((SIZE, SIZE, 3))
    gone = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(image / 127.5))
    keras.Model(image, gone).save(HERE / "operation.h5", include_optimizer=False)
    hard = keras.layers.Conv2D(2, 3, activation="hard_sigmoid")(image)
    hard = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(hard))
    keras.Model(image, hard).save(HERE / "hard_sigmoid.h5", include_optimizer=False)
    (HERE / "answers.json").write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
