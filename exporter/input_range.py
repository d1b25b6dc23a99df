"""Which numbers a model of somebody else's takes for a pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from edge_runtime.errors import UnknownNameError, UsageError
from edge_runtime.result import Float32Array

InputRange = Literal["0..255", "0..1", "-1..1", "imagenet"]
"""What pixels 0..255 become before the model.

``0..255`` stays as it is, ``0..1`` is divided by 255, ``-1..1`` is pixel / 127.5 - 1 (Keras'
MobileNet and Inception), ``imagenet`` subtracts the mean and divides by the standard
deviation of each channel, of pixels in 0..1 (torchvision's models).
"""

RANGES: tuple[str, ...] = get_args(InputRange)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of R, G and B in 0..1; from torchvision.transforms' presets."""

IMAGENET_STD = (0.229, 0.224, 0.225)


def check_range(name: str) -> InputRange:
    """Returns the name of a range, checked.

    Args:
        name: What the user passed.

    Raises:
        UnknownNameError: There is no such range.
    """
    for known in RANGES:
        if name == known:
            return known  # type: ignore[return-value]
    raise UnknownNameError.of("input range", name, RANGES)


def normalisation(name: InputRange, channels: int) -> tuple[Float32Array, Float32Array]:
    """Factor and offset of each channel: value = pixel * factor + offset.

    Args:
        name: The range.
        channels: 1 or 3.

    Returns:
        Two float32 arrays ``[channels]``.

    Raises:
        UsageError: ``imagenet`` with a gray image.
    """
    if name == "imagenet" and channels != 3:
        raise UsageError(
            f"The input range imagenet must have three channels. Received: a model of {channels} channel. "
            "Pass --input-range 0..1, -1..1 or 0..255."
        )
    mean, deviation = {
        "0..255": ((0.0,), (1.0,)),
        "0..1": ((0.0,), (255.0,)),
        "-1..1": ((127.5,), (127.5,)),
        "imagenet": (
            tuple(255.0 * value for value in IMAGENET_MEAN),
            tuple(255.0 * value for value in IMAGENET_STD),
        ),
    }[name]
    spread = np.broadcast_to(np.asarray(deviation, np.float64), (channels,))
    centre = np.broadcast_to(np.asarray(mean, np.float64), (channels,))
    return (1.0 / spread).astype(np.float32), (-centre / spread).astype(np.float32)


def scaling(name: InputRange, channels: int) -> Callable[[Any], Any]:
    """The arithmetic from raw pixels to a range.

    Args:
        name: The range.
        channels: 1 or 3.

    Returns:
        float32 pixels ``[..., channels]``, 0..255 -> values in the range; a NumPy array or a tensor.

    Raises:
        UsageError: ``imagenet`` with a gray image.
    """
    factor, offset = normalisation(name, channels)
    return (lambda pixels: pixels) if name == "0..255" else (lambda pixels: pixels * factor + offset)
