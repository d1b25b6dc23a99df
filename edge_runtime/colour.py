"""The colour stage, between decoding and resizing: any mode to 8-bit RGB or grayscale."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.tiff_samples import GrayScale

_DEEP_GRAY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_SIXTEEN_BITS = GrayScale(65_535, inverted=False)
_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def fix_transparency(picture: Image.Image) -> None:
    """Scales the transparent colour of a PNG to 8 bits.

    The file gives it in its own bit depth; Pillow scales the pixels but not this value.

    Args:
        picture: Opened, not decoded; its ``info`` is corrected.
    """
    value, tiles = picture.info.get("transparency"), getattr(picture, "tile", None)
    if picture.format != "PNG" or not tiles or value is None:
        return
    stored = tiles[0][3]
    stored = stored[0] if isinstance(stored, tuple) else stored
    if stored == "RGB;16B" and isinstance(value, tuple):
        picture.info["transparency"] = tuple(part >> 8 for part in value)
    elif stored in ("L;2", "L;4") and isinstance(value, int):
        picture.info["transparency"] = min(255, value * (255 // (2 ** int(stored[2]) - 1)))
    elif stored == "1" and isinstance(value, int):
        picture.info["transparency"] = 255 if value else 0


def eight_bit_colour(picture: Image.Image, channels: int, scale: GrayScale | None = None) -> Image.Image:
    """Converts to 8 bits: scales deep gray, puts transparency on white, resolves palette and CMYK.

    Args:
        picture: Any PIL image, decoded.
        channels: 3 for mode ``RGB``, 1 for mode ``L``.
        scale: Range of deep gray; None for 16 bits from black to white.

    Raises:
        ValueError: The mode has no agreed meaning as RGB.
    """
    if picture.mode in _DEEP_GRAY:
        picture = _eight_bit(picture, scale or _SIXTEEN_BITS)
    elif picture.mode == "F":
        raise ValueError("float pixels have no agreed range")
    if picture.mode == "La":
        picture = picture.convert("LA")
    if "transparency" in picture.info or picture.mode in _ALPHA:
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, coloured)
    if channels == 1:
        # Through RGB, so that a palette or CMYK image has the same luma as its RGB twin.
        return picture if picture.mode == "L" else picture.convert("RGB").convert("L")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _eight_bit(picture: Image.Image, scale: GrayScale) -> Image.Image:
    """Scales deep gray to 8 bits and transparent values to white; Pillow's convert() would clip."""
    values: Any = np.asarray(picture)
    if scale.highest == 2**32 - 1:
        # Pillow has no unsigned 32-bit mode.
        values = values.view(np.uint32)
    numbers = values.astype(np.float64)
    if scale.inverted:
        np.subtract(scale.highest, numbers, out=numbers)
    # Division by 257 maps 65535 to 255 exactly; a shift by 8 would darken.
    numbers /= scale.highest / 255
    scaled = np.rint(np.clip(numbers, 0.0, 255.0, out=numbers), out=numbers).astype(np.uint8)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        scaled[values == clear] = 255
    return Image.fromarray(scaled)
