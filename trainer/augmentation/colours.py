"""Changes of colour and brightness, per image; a neutral argument changes nothing."""

from __future__ import annotations

from typing import Any

BRIGHTNESS = 0.2
"""Largest share of the full range that ``brightness`` adds or subtracts."""

CONTRAST = 0.3
"""Largest relative change of the distance to the mean."""

_FULL = 255.0
_LUMA = (0.299, 0.587, 0.114)
"""Rec. 601 weights of red, green and blue, as in Pillow's mode L."""


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
