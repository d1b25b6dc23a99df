"""Calibration images, checked before anything slow."""

from __future__ import annotations

from edge_runtime.errors import UsageError
from edge_runtime.preprocess import UInt8Array


def check_images(pixels: UInt8Array, shape: tuple[int, ...]) -> UInt8Array:
    """Returns the images if a model can take them.

    Args:
        pixels: uint8 ``[n, height, width, channels]``.
        shape: What the model takes, ``(height, width, channels)``.

    Raises:
        UsageError: There is none, or they are of another size or type.
    """
    if not len(pixels):
        raise UsageError(
            "int8 artifacts need calibration images. Received: none. Pass --calibration-data with real images."
        )
    if pixels.shape[1:] != shape or pixels.dtype != "uint8":
        raise UsageError(
            f"Calibration images must be uint8 {['n', *shape]}, as the model takes them. "
            f"Received: {pixels.dtype} {list(pixels.shape)}. Preprocess them with the model's input spec."
        )
    return pixels
