"""Changed copies for training, made from uint8 pixels with numpy and Pillow.

They are no layers, so the saved model holds none of them and every Keras backend
trains on the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from edge_runtime.preprocess import UInt8Array

Augment = Callable[[UInt8Array, np.random.Generator], UInt8Array]
"""Takes one image ``[height, width, channels]`` and returns another of that shape."""

SHIFT_SHARE = 0.08
"""Largest shift of :func:`shifted`, as a share of the side."""

CROP_AREA = (0.5, 1.0)
"""Share of the area that :func:`cropped` keeps."""

CROP_ASPECT = (0.8, 1.25)
"""Width to height of what :func:`cropped` keeps, relative to the image's own."""


def shifted(image: UInt8Array, random: np.random.Generator) -> UInt8Array:
    """Moves the picture by up to :data:`SHIFT_SHARE`, repeating its edge; never mirrors.

    Args:
        image: uint8 ``[height, width, channels]``.
        random: Source of randomness.
    """
    height, width, _ = image.shape
    most_y, most_x = max(1, round(height * SHIFT_SHARE)), max(1, round(width * SHIFT_SHARE))
    y = int(random.integers(-most_y, most_y + 1))
    x = int(random.integers(-most_x, most_x + 1))
    rows = np.clip(np.arange(height) + y, 0, height - 1)
    columns = np.clip(np.arange(width) + x, 0, width - 1)
    moved: UInt8Array = image[rows[:, None], columns[None, :]]
    return moved


def cropped(image: UInt8Array, random: np.random.Generator) -> UInt8Array:
    """Cuts a random part, enlarges it to the whole, and mirrors half of the time.

    Args:
        image: uint8 ``[height, width, channels]``.
        random: Source of randomness.
    """
    height, width, channels = image.shape
    area = random.uniform(*CROP_AREA)
    aspect = math.exp(random.uniform(math.log(CROP_ASPECT[0]), math.log(CROP_ASPECT[1])))
    share_x, share_y = min(1.0, math.sqrt(area * aspect)), min(1.0, math.sqrt(area / aspect))
    box_width, box_height = width * share_x, height * share_y
    left, top = random.uniform(0.0, width - box_width), random.uniform(0.0, height - box_height)
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    box = (left, top, left + box_width, top + box_height)
    resized = picture.resize((width, height), Image.Resampling.BILINEAR, box=box)
    result: UInt8Array = np.asarray(resized, np.uint8).reshape(image.shape)
    return mirrored(result) if random.random() < 0.5 else result


def mirrored(image: UInt8Array) -> UInt8Array:
    """Mirrors left and right.

    Args:
        image: uint8 ``[height, width, channels]``.
    """
    return image[:, ::-1]
