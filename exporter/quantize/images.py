"""Calibration images, checked before anything slow."""

from __future__ import annotations

from edge_runtime.errors import UsageError
from edge_runtime.preprocess import UInt8Array


def check_images(pixels: UInt8Array, shape: tuple[int, ...]) -> UInt8Array:
    """Returns the images if they fit the model.

    Args:
        pixels: uint8 ``[n, height, width, channels]``.
        shape: Input shape of the model, ``(height, width, channels)``.

    Raises:
        UsageError: There are none, or their size or type is wrong.
    """
    if not len(pixels):
        raise UsageError(
            "int8 artifacts need calibration images. Received: none. Pass --calibration-data with real images."
        )
    if pixels.shape[1:] != shape or pixels.dtype != "uint8":
        raise UsageError(
            f"Calibration images must be uint8 {['n', *shape]}, the model's input. "
            f"Received: {pixels.dtype} {list(pixels.shape)}. Preprocess them with the model's input spec."
        )
    return pixels
