"""Transforms of single images: geometry as one affine map, so each is resampled once, and colour."""

from __future__ import annotations

import math
from typing import Any

CROP_AREA = (0.5, 1.0)
"""Share of the area that ``crop`` keeps."""

CROP_ASPECT = (0.8, 1.25)
"""Aspect ratio of what ``crop`` keeps, relative to the image's own."""

ZOOM = (0.8, 1.2)
"""Scale of ``zoom``."""

SHIFT_SHARE = 0.08
"""Largest ``shift`` as a share of the side."""

ROTATION = math.radians(10.0)
"""Largest ``rotation``."""

BRIGHTNESS = 0.2
"""Largest share of the full range that ``brightness`` adds or subtracts."""

CONTRAST = 0.3
"""Largest relative change of the distance to the mean."""

GEOMETRIC = ("crop", "flip", "rotation", "shift", "zoom")
"""The augmentations that are affine maps."""

_FULL = 255.0
_LUMA = (0.299, 0.587, 0.114)
"""Rec. 601 weights of red, green and blue, as in Pillow's mode L."""


class AffineMap:
    """One map per image from output to input pixels, relative to the centre.

    ``input = matrix @ output + offset * (width, height)``.
    """

    def __init__(self, keras: Any, count: Any) -> None:
        """Starts with the identity.

        Args:
            keras: The keras module.
            count: Number of images in the batch, or a scalar tensor.
        """
        self._ops = keras.ops
        one, zero = self._ops.ones((count,)), self._ops.zeros((count,))
        self.matrix = (one, zero, zero, one)
        self.offset = (zero, zero)

    def then(self, a: Any, b: Any, c: Any, d: Any) -> None:
        """Composes with ``[[a, b], [c, d]]``, applied to the output coordinates first.

        Args:
            a: ``[count]`` or a number, like the others.
            b: See ``a``.
            c: See ``a``.
            d: See ``a``.
        """
        m0, m1, m2, m3 = self.matrix
        self.matrix = (m0 * a + m1 * c, m0 * b + m1 * d, m2 * a + m3 * c, m2 * b + m3 * d)

    def move(self, x: Any, y: Any) -> None:
        """Translates the input coordinates.

        Args:
            x: Share of the width, ``[count]``.
            y: Share of the height, ``[count]``.
        """
        self.offset = self.offset[0] + x, self.offset[1] + y

    def apply(self, images: Any) -> Any:
        """Resamples images bilinearly, repeating their edges.

        Args:
            images: float32 ``[count, height, width, channels]``.
        """
        ops = self._ops
        height, width = float(images.shape[1]), float(images.shape[2])
        m0, m1, m2, m3 = self.matrix
        x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
        x_offset = x - m0 * x - m1 * y + self.offset[0] * width
        y_offset = y - m2 * x - m3 * y + self.offset[1] * height
        zero = ops.zeros_like(m0)
        rows = ops.stack([m0, m1, x_offset, m2, m3, y_offset, zero, zero], axis=1)
        return ops.image.affine_transform(
            images, rows, interpolation="bilinear", fill_mode="nearest", data_format="channels_last"
        )


def add_geometry(keras: Any, map_: AffineMap, names: tuple[str, ...], draw: Any) -> None:
    """Composes the maps of the chosen augmentations.

    Args:
        keras: The keras module.
        map_: The map to compose with.
        names: Chosen augmentations.
        draw: ``draw(low, high)`` returns float32 ``[count]``.
    """
    ops = keras.ops
    if "crop" in names:
        area, ratio = draw(*CROP_AREA), ops.exp(draw(*(math.log(value) for value in CROP_ASPECT)))
        x = ops.minimum(1.0, ops.sqrt(area * ratio))
        y = ops.minimum(1.0, ops.sqrt(area / ratio))
        map_.move(draw(-0.5, 0.5) * (1.0 - x), draw(-0.5, 0.5) * (1.0 - y))
        map_.then(x, 0.0, 0.0, y)
    if "zoom" in names:
        scale = 1.0 / draw(*ZOOM)
        map_.then(scale, 0.0, 0.0, scale)
    if "rotation" in names:
        angle = draw(-ROTATION, ROTATION)
        map_.then(ops.cos(angle), -ops.sin(angle), ops.sin(angle), ops.cos(angle))
    if "shift" in names:
        map_.move(draw(-SHIFT_SHARE, SHIFT_SHARE), draw(-SHIFT_SHARE, SHIFT_SHARE))
    if "flip" in names:
        map_.then(ops.where(draw(0.0, 1.0) < 0.5, -1.0, 1.0), 0.0, 0.0, 1.0)


def brightened(ops: Any, images: Any, share: Any) -> Any:
    """Adds a share of the full range.

    Args:
        ops: ``keras.ops``.
        images: float32 ``[count, height, width, channels]``, 0..255.
        share: ``[count]``, 0 changes nothing.
    """
    return ops.clip(images + _wide(ops, share) * _FULL, 0.0, _FULL)


def contrasted(ops: Any, images: Any, factor: Any) -> Any:
    """Scales the distance to the image's mean.

    Args:
        ops: ``keras.ops``.
        images: float32 ``[count, height, width, channels]``, 0..255.
        factor: ``[count]``, 1 changes nothing.
    """
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return ops.clip(mean + (images - mean) * _wide(ops, factor), 0.0, _FULL)


def saturated(ops: Any, images: Any, factor: Any) -> Any:
    """Scales the distance to gray; gray images do not change.

    Args:
        ops: ``keras.ops``.
        images: float32 ``[count, height, width, channels]``, 0..255.
        factor: ``[count]``, 1 changes nothing.
    """
    if images.shape[-1] != 3:
        return images
    red, green, blue = (images[..., place : place + 1] for place in range(3))
    gray = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return ops.clip(gray + (images - gray) * _wide(ops, factor), 0.0, _FULL)


def stretched(ops: Any, images: Any, wanted: Any) -> Any:
    """Stretches each channel to the full range (autocontrast) where ``wanted``.

    Args:
        ops: ``keras.ops``.
        images: float32 ``[count, height, width, channels]``, 0..255.
        wanted: bool ``[count]``.
    """
    low = ops.min(images, axis=(1, 2), keepdims=True)
    high = ops.max(images, axis=(1, 2), keepdims=True)
    spread = (images - low) * (_FULL / ops.maximum(high - low, 1.0))
    return ops.where(_wide(ops, wanted), spread, images)


def posterized(ops: Any, images: Any, step: Any) -> Any:
    """Rounds down to multiples of ``step``.

    Args:
        ops: ``keras.ops``.
        images: float32 ``[count, height, width, channels]``, 0..255.
        step: ``[count]``; below 2 nothing changes.
    """
    width = _wide(ops, ops.maximum(step, 1.0))
    return ops.where(width < 2.0, images, ops.floor(images / width) * width)


def solarized(ops: Any, images: Any, threshold: Any) -> Any:
    """Inverts values at or above the threshold.

    Args:
        ops: ``keras.ops``.
        images: float32 ``[count, height, width, channels]``, 0..255.
        threshold: ``[count]``; above 255 nothing changes.
    """
    return ops.where(images >= _wide(ops, threshold), _FULL - images, images)


def _wide(ops: Any, values: Any) -> Any:
    """Reshapes ``[count]`` to ``[count, 1, 1, 1]``."""
    return ops.reshape(values, (-1, 1, 1, 1))
