"""The layer that augments images, each resampled once, and RandAugment.

RandAugment applies a few random changes to each image, all of the same strength, after Cubuk et
al. 2020 (arXiv 1909.13719). Every image draws its own changes, the geometric ones are resampled
together, and the whole costs a few milliseconds per batch; ``keras.layers.RandAugment`` computes
every change of every image and draws one set per batch. The paper's equalize and sharpness are
left out: they need histograms and convolutions.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from trainer.augmentation.choices import MIXING
from trainer.augmentation.transforms import (
    BRIGHTNESS,
    CONTRAST,
    GEOMETRIC,
    AffineMap,
    add_geometry,
    brightened,
    contrasted,
    posterized,
    saturated,
    solarized,
    stretched,
)
from trainer.core.backend import load_keras

CHANGES = (
    "identity", "autocontrast", "brightness", "contrast", "colour", "posterize", "solarize",
    "rotate", "shear_x", "shear_y", "shift_x", "shift_y",
)  # fmt: skip
"""The changes to draw from."""

COUNT = 2
"""Changes per image (N in the paper)."""

STRENGTH = 0.3
"""Share of the largest change, 0..1: the paper's M = 9 of 30."""

_ROTATE = math.radians(30.0 / 0.3)
_SHEAR = 0.3 / 0.3
_SHIFT = 0.15 / 0.3
"""Largest rotation, shear and shift; the strength of 0.3 gives 30 degrees, 0.3 and 15 %."""


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


def rand_augmented(keras: Any, images: Any, map_: AffineMap, draw: Any, pick: Any) -> Any:
    """Applies the colour changes, and composes the geometric ones for later.

    Args:
        keras: The keras module.
        images: float32 ``[count, height, width, channels]``, 0..255.
        map_: The map to compose the geometric changes with.
        draw: ``draw(low, high)`` returns float32 ``[count]``.
        pick: ``pick(n)`` returns int32 ``[count, COUNT]`` in 0..n-1.

    Returns:
        The images, float32, of the same shape.
    """
    ops = keras.ops
    drawn = pick(len(CHANGES))

    def has(name: str) -> Any:
        return ops.any(ops.equal(drawn, CHANGES.index(name)), axis=1)

    def signed(name: str, most: float) -> Any:
        """Plus or minus ``most`` where the change was drawn, else 0."""
        sign = ops.where(draw(-1.0, 1.0) < 0.0, -1.0, 1.0)
        return ops.where(has(name), sign * most, 0.0)

    images = stretched(ops, images, has("autocontrast"))
    images = brightened(ops, images, signed("brightness", STRENGTH))
    images = contrasted(ops, images, 1.0 + signed("contrast", STRENGTH))
    images = saturated(ops, images, 1.0 + signed("colour", STRENGTH))
    images = posterized(ops, images, ops.where(has("posterize"), 2.0 ** round(4 * STRENGTH + 2), 1.0))
    images = solarized(ops, images, ops.where(has("solarize"), 256.0 * (1.0 - STRENGTH), 1e6))
    angle = signed("rotate", STRENGTH * _ROTATE)
    map_.then(ops.cos(angle), -ops.sin(angle), ops.sin(angle), ops.cos(angle))
    map_.then(1.0, signed("shear_x", STRENGTH * _SHEAR), 0.0, 1.0)
    map_.then(1.0, 0.0, signed("shear_y", STRENGTH * _SHEAR), 1.0)
    map_.move(signed("shift_x", STRENGTH * _SHIFT), signed("shift_y", STRENGTH * _SHIFT))
    return images
