"""The colour and orient stages, between decoding and resizing: an upright 8-bit picture of any mode.

The orientation is read from EXIF without trusting it. Pillow's own reader keeps every tag of every
directory: tags that all point to the same megabytes fill the memory. Only one tag is needed, so only
one is read; a damaged block means "as stored", as in browsers.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.image.tiff import GrayScale

_DEEP_GRAY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_SIXTEEN_BITS = GrayScale(65_535, inverted=False)
_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")

_ORIENTATION = 0x0112
_NUMBER_TYPES = {3: "H", 4: "I", 8: "h", 9: "i"}
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_XMP_BYTES = 1_000_000

_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that undoes each orientation: EXIF 2.3, section 4.6.4 A."""


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


def upright_transposition(picture: Image.Image) -> Image.Transpose | None:
    """Returns the transposition that puts a picture upright; None if it is.

    Args:
        picture: Any PIL image; Pillow puts a TIFF upright while decoding.
    """
    if picture.format == "TIFF":
        return None
    value = exif_orientation(_exif_block(picture))
    return _UNDO.get((_from_xmp(picture) or 1) if value is None else value)


def _exif_block(picture: Image.Image) -> bytes:
    block = picture.info.get("exif")
    if isinstance(block, bytes):
        return block
    profile = picture.info.get("Raw profile type exif")
    if isinstance(profile, str):
        try:
            return bytes.fromhex("".join(profile.split("\n")[3:]))
        except ValueError:
            return b""
    # A picture edited in memory has its tags there instead of a block.
    edited = getattr(picture, "_exif", None)
    if block is None and isinstance(edited, Image.Exif) and edited.get(_ORIENTATION) in range(1, 9):
        return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", _ORIENTATION, 3, 1, edited[_ORIENTATION])
    return b""


def exif_orientation(block: bytes) -> int | None:
    """Reads the orientation from the first directory of an EXIF block.

    Args:
        block: The block, with or without ``Exif`` before it.

    Returns:
        The number as stored, 1 for upright; None if it is missing or unreadable.
    """
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    start: int = struct.unpack_from(order + "I", block, 4)[0]
    if start + 2 > len(block):
        return None
    count: int = struct.unpack_from(order + "H", block, start)[0]
    found = None
    for at in range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, values = struct.unpack_from(order + "HHI", block, at)
        if tag == _ORIENTATION and values == 1 and kind in _NUMBER_TYPES:
            found = int(struct.unpack_from(order + _NUMBER_TYPES[kind], block, at + 8)[0])
    return found


def _from_xmp(picture: Image.Image) -> int | None:
    text = picture.info.get("XML:com.adobe.xmp") or picture.info.get("xmp") or b""
    data = text[:_XMP_BYTES].encode(errors="replace") if isinstance(text, str) else text
    match = _XMP.search(data, 0, _XMP_BYTES) if isinstance(data, bytes) else None
    return int(match[1]) if match else None
