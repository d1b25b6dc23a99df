"""Flip, rotation, zoom, crop, shift and shear as one affine map, so each image is resampled once."""

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

GEOMETRIC = ("crop", "flip", "rotation", "shift", "zoom")
"""The augmentations that are affine maps."""


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
