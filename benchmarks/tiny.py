"""Synthetic photos and weights, so that the quick forms run anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TINY_WIDTH = 0.35
"""Width multiplier of the network whose random weights :func:`tiny_weights` writes."""


def tiny_photos(folder: Path, per_class: int = 12, classes: int = 3, side: int = 48) -> Path:
    """Writes ``train`` and ``val`` of class folders of coloured noise.

    Args:
        folder: Where to.
        per_class: Images of each class on each side.
        classes: Classes, at most 3.
        side: Pixels.

    Returns:
        The folder.
    """
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for place in range(classes):
            path = folder / split / f"colour_{place}"
            path.mkdir(parents=True)
            for index in range(per_class):
                pixels = random.integers(0, 120, (side, side, 3))
                pixels[..., place] += 120
                Image.fromarray(pixels.astype(np.uint8)).save(path / f"{index}.jpg")
    return folder


def tiny_weights(keras: Any, folder: Path) -> Path:
    """Writes random weights of a narrow MobileNetV2 without its head.

    Args:
        keras: The keras module.
        folder: Where to.

    Returns:
        The file.
    """
    net = keras.applications.MobileNetV2((32, 32, 3), alpha=TINY_WIDTH, include_top=False, weights=None)
    path = folder / "tiny.weights.h5"
    net.save_weights(path)
    return path
