"""The layer that augments images, each resampled once."""

from __future__ import annotations

from functools import cache
from typing import Any

from trainer.augmentation.affine import GEOMETRIC, AffineMap, add_geometry
from trainer.augmentation.choices import MIXING
from trainer.augmentation.colours import BRIGHTNESS, CONTRAST, brightened, contrasted
from trainer.augmentation.rand_augment import COUNT, rand_augmented
from trainer.backend import load_keras


def image_layer(names: tuple[str, ...], seed: int, *, always: bool = False) -> Any:
    """Returns a layer that augments raw pixels, active only in training.

    Args:
        names: Chosen augmentations; those of :data:`trainer.augmentation.choices.MIXING` are
            left to :func:`trainer.augmentation.target_layer`.
        seed: Random seed.
        always: Whether to be active in inference too, to cache augmented views.

    Returns:
        A ``keras.layers.Layer``: uint8 or float32 ``[batch, height, width, channels]`` in 0..255
        becomes float32 of the same shape and range.
    """
    return _layer_class()(tuple(name for name in names if name not in MIXING), seed, always)


@cache
def _layer_class() -> Any:
    keras = load_keras()
    ops = keras.ops

    class ImageAugmentation(keras.layers.Layer):  # type: ignore[misc,name-defined]
        """See :func:`image_layer`."""

        def __init__(self, names: tuple[str, ...], seed: int, always: bool) -> None:
            super().__init__(dtype="float32", name="augment_images", trainable=False)
            self.names, self.always = names, always
            self.seeds = keras.random.SeedGenerator(seed)

        def call(self, images: Any, training: bool | None = None) -> Any:
            images = ops.cast(images, "float32")
            if not self.names or not (training or self.always):
                return images
            count = ops.shape(images)[0]

            def draw(low: float, high: float) -> Any:
                return keras.random.uniform((count,), low, high, dtype="float32", seed=self.seeds)

            def pick(limit: int) -> Any:
                return keras.random.randint((count, COUNT), 0, limit, seed=self.seeds)

            map_ = AffineMap(keras, count)
            if "rand_augment" in self.names:
                images = rand_augmented(keras, images, map_, draw, pick)
            if "brightness" in self.names:
                images = brightened(ops, images, draw(-BRIGHTNESS, BRIGHTNESS))
            if "contrast" in self.names:
                images = contrasted(ops, images, draw(1.0 - CONTRAST, 1.0 + CONTRAST))
            add_geometry(keras, map_, self.names, draw)
            if {*GEOMETRIC, "rand_augment"} & set(self.names):
                images = ops.clip(map_.apply(images), 0.0, 255.0)
            return images

        def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            return shape

    return ImageAugmentation
