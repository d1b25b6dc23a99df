"""A look at a TIFF's first directory before a decoder trusts it.

Strips and tiles are listed by the file itself: four million strips of one byte, or a tile
of gigabytes for a picture of ten pixels, are a few megabytes on disk.
"""

from __future__ import annotations

import struct

MAX_TAGS = 1_000
"""Entries of a directory; photos have about 20, geographic ones about 40."""

MAX_VALUES = 200_000
"""Numbers in one tag: a strip for each row of the highest picture, in three planes."""

MAX_TILE_PIXELS = 4096 * 4096
"""Width times height of one tile; usual ones are 128 to 1024 wide."""

_TILE_SIDES = (322, 323)
# Bytes and undefined bytes hold profiles and are never taken apart, text neither.
_NUMBERS = {3: "H", 4: "I", 5: "", 6: "", 8: "", 9: "", 10: "", 11: "", 12: "", 13: "", 16: ""}


def tiff_excess(data: bytes) -> str:
    """Says what a TIFF's first directory asks too much of.

    Args:
        data: The encoded image, of any format.

    Returns:
        What is too much, in words; empty for other formats and for honest files.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return ""
    version, start = struct.unpack_from(order + "HI", data, 2)
    if version == 43:
        return "a BigTIFF, which is for files over 4 GB"
    if version != 42 or start + 2 > len(data):
        return ""
    count: int = struct.unpack_from(order + "H", data, start)[0]
    if count > MAX_TAGS:
        return f"{count:,} tags, at most {MAX_TAGS:,}"
    tile = 1
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, at)
        if kind in _NUMBERS and values > MAX_VALUES:
            return f"{values:,} values in tag {tag}, at most {MAX_VALUES:,}"
        if tag in _TILE_SIDES and _NUMBERS.get(kind):
            tile *= max(1, struct.unpack_from(order + _NUMBERS[kind], data, at + 8)[0])
    return f"a tile of {tile:,} pixels, at most {MAX_TILE_PIXELS:,}" if tile > MAX_TILE_PIXELS else ""
