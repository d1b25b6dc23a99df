"""Reads the orientation of a picture from its EXIF without trusting it.

Pillow's own reader keeps every tag of every directory: tags that all point to the same megabytes
fill the memory. Only one tag is needed, so only one is read; a damaged block means "as stored", as
in browsers.
"""

from __future__ import annotations

import re
import struct

from PIL import Image

_TAG = 0x0112
_FORMATS = {3: "H", 4: "I", 8: "h", 9: "i"}
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_XMP_BYTES = 1_000_000

# The transposition that undoes each orientation: EXIF 2.3, section 4.6.4 A.
_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_transposition(picture: Image.Image) -> Image.Transpose | None:
    """Returns the transposition that puts a picture upright; None if it is.

    Args:
        picture: Any PIL image; Pillow puts a TIFF upright while decoding.
    """
    if picture.format == "TIFF":
        return None
    value = _from_exif(_exif_block(picture))
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
    if block is None and isinstance(edited, Image.Exif) and edited.get(_TAG) in range(1, 9):
        return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", _TAG, 3, 1, edited[_TAG])
    return b""


def _from_exif(block: bytes) -> int | None:
    """Reads the tag from the first directory; None if it is missing or unreadable."""
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
        if tag == _TAG and values == 1 and kind in _FORMATS:
            found = int(struct.unpack_from(order + _FORMATS[kind], block, at + 8)[0])
    return found


def _from_xmp(picture: Image.Image) -> int | None:
    text = picture.info.get("XML:com.adobe.xmp") or picture.info.get("xmp") or b""
    data = text[:_XMP_BYTES].encode(errors="replace") if isinstance(text, str) else text
    match = _XMP.search(data, 0, _XMP_BYTES) if isinstance(data, bytes) else None
    return int(match[1]) if match else None
