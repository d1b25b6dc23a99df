"""The first directory of a TIFF, read before a decoder trusts it, and its samples of more than 8 bits.

The file itself lists strips and tiles: four million strips of one byte, or a tile of gigabytes for
a picture of ten pixels, take a few megabytes on disk. :func:`tiff_excess` finds such demands.

Pillow rejects or misreads deep samples. It reads gray of 12 to 32 bits as stored: if 0 is white, the
picture would be a negative, 12 bits would be nearly black, and unsigned 32 bits turn negative in its
signed mode. For big-endian files it supports fewer kinds, and reads compressed ones in the wrong byte
order. Uncompressed planes of 16 bits it reads as 8.

:func:`readable` changes the tags of such a file to ones that Pillow knows; :func:`corrected` restores
the true ones, and :func:`gray_scale` gives the colour stage the range of the numbers. The resulting
values equal those of OpenCV and libvips.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import msgspec
from PIL import Image

MAX_TAGS = 1_000
"""Maximum entries of a directory; photos have about 20, geographic images about 40."""

MAX_VALUES = 200_000
"""Maximum numbers in one tag: a strip per row of the tallest picture, in three planes."""

MAX_TILE_PIXELS = 4096 * 4096
"""Maximum width times height of a tile; typical ones are 128 to 1024 wide."""

_TILE_SIDES = (322, 323)
# Bytes, undefined bytes and text hold profiles, which are not parsed.
_NUMBERS = {3: "H", 4: "I", 5: "", 6: "", 8: "", 9: "", 10: "", 11: "", 12: "", 13: "", 16: ""}
_ENTRY_BYTES = 12

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANES, _SAMPLE_FORMAT = 258, 262, 277, 284, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_UNSIGNED, _SIGNED = 1, 2
_APART = 2
_NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS"}
"""Pillow's raw modes of signed big-endian numbers, in the machine's own byte order."""


class Directory(msgspec.Struct, frozen=True):
    """A TIFF's first directory.

    Attributes:
        order: Byte order as :mod:`struct` writes it, ``<`` or ``>``.
        count: Number of entries it claims; a truncated file holds fewer.
        entries: ``(tag, type, number of values, place of the value or of its offset)``.
    """

    order: str
    count: int
    entries: tuple[tuple[int, int, int, int], ...]


def first_directory(data: bytes) -> Directory | None:
    """Reads the first directory, of at most :data:`MAX_TAGS` entries.

    Args:
        data: The encoded image, of any format.

    Returns:
        None for other formats, for a BigTIFF and where there is no directory.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return None
    version, start = struct.unpack_from(order + "HI", data, 2)
    if version != 42 or start + 2 > len(data):
        return None
    count: int = struct.unpack_from(order + "H", data, start)[0]
    end = min(start + 2 + _ENTRY_BYTES * min(count, MAX_TAGS), len(data) - _ENTRY_BYTES + 1)
    places = range(start + 2, end, _ENTRY_BYTES)
    return Directory(
        order, count, tuple((*struct.unpack_from(order + "HHI", data, at), at + 8) for at in places)
    )


def short_values(data: bytes, directory: Directory, tag: int) -> tuple[int, ...]:
    """The values of a tag with 16-bit numbers, such as bits per sample.

    Args:
        data: The encoded image.
        directory: Its first directory.
        tag: The tag's number.

    Returns:
        Empty if the tag is missing, has another type, or lies outside the file.
    """
    for found, kind, count, at in directory.entries:
        if found == tag and kind == 3 and 0 < count <= 16:
            if count > 2:
                at = struct.unpack_from(directory.order + "I", data, at)[0]
            if at + 2 * count <= len(data):
                return struct.unpack_from(f"{directory.order}{count}H", data, at)
    return ()


def with_short_values(data: bytes, directory: Directory, values: dict[int, int]) -> bytes:
    """A copy of the file with changed values of some tags, and only the first directory.

    Args:
        data: The encoded image.
        directory: Its first directory.
        values: The new 16-bit number per tag.
    """
    order = directory.order
    entries = {tag: data[at - 8 : at + 4] for tag, _, _, at in directory.entries}
    entries |= {tag: struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in values.items()}
    body = struct.pack(order + "H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    # A directory starts at an even offset.
    start = len(data) + len(data) % 2
    head = data[:4] + struct.pack(order + "I", start)
    return b"".join((head, data[8:], bytes(start - len(data)), body, bytes(4)))


def tiff_excess(data: bytes) -> str:
    """Describes excessive demands of a TIFF's first directory.

    Args:
        data: The encoded image, of any format.

    Returns:
        What is excessive, in words; empty for other formats and for normal files.
    """
    if data[:4] in (b"II+\0", b"MM\0+") and len(data) >= 8:
        return "a BigTIFF, which is for files over 4 GB"
    directory = first_directory(data)
    if directory is None:
        return ""
    if directory.count > MAX_TAGS:
        return f"{directory.count:,} tags, at most {MAX_TAGS:,}"
    tile = 1
    for tag, kind, values, at in directory.entries:
        if kind in _NUMBERS and values > MAX_VALUES:
            return f"{values:,} values in tag {tag}, at most {MAX_VALUES:,}"
        if tag in _TILE_SIDES and _NUMBERS.get(kind):
            tile *= max(1, struct.unpack_from(directory.order + _NUMBERS[kind], data, at)[0])
    return f"a tile of {tile:,} pixels, at most {MAX_TILE_PIXELS:,}" if tile > MAX_TILE_PIXELS else ""


class GrayScale(NamedTuple):
    """Range of gray samples.

    Attributes:
        highest: The largest possible number.
        inverted: Whether that number is black and 0 is white.
    """

    highest: int
    inverted: bool


def readable(data: bytes) -> tuple[bytes, dict[int, int]]:
    """Makes a gray TIFF of 12, 16 or 32 bits readable for Pillow, as stored.

    Args:
        data: An encoded image of any format.

    Returns:
        The bytes to open, and the true values of the changed tags; empty for other files.
    """
    directory = first_directory(data)
    if directory is None:
        return data, {}
    photometric, bits = (short_values(data, directory, tag) for tag in (_PHOTOMETRIC, _BITS))
    unsigned = short_values(data, directory, _SAMPLE_FORMAT) in ((), (_UNSIGNED,))
    alone = short_values(data, directory, _SAMPLES) in ((), (1,))
    changed = {}
    if alone and unsigned and bits in ((12,), (16,), (32,)):
        if photometric == (_WHITE_IS_ZERO,):
            changed[_PHOTOMETRIC] = _BLACK_IS_ZERO
        if bits == (32,) and photometric in ((_WHITE_IS_ZERO,), (_BLACK_IS_ZERO,)):
            changed[_SAMPLE_FORMAT] = _SIGNED
    if not changed:
        return data, {}
    true = {_PHOTOMETRIC: photometric[0], _SAMPLE_FORMAT: _UNSIGNED}
    return with_short_values(data, directory, changed), {tag: true[tag] for tag in changed}


def corrected(picture: Image.Image, true: dict[int, int]) -> None:
    """Restores the true tags, and corrects how Pillow is going to decode.

    Args:
        picture: Opened by Pillow, not decoded.
        true: The true values from :func:`readable`.
    """
    # Only Pillow's TIFF class has these attributes.
    file: Any = picture
    if picture.format != "TIFF" or not file.tile:
        return
    tags, tiles = file.tag_v2, file.tile
    for tag, value in true.items():
        tags[tag] = value
    first = tiles[0]
    if first.codec_name == "libtiff":
        # libtiff returns numbers in native byte order, which Pillow forgets for signed ones.
        raw, *others = first.args
        file.tile = [first._replace(args=(_NATIVE.get(raw, raw), *others))]
    elif tags.get(_PLANES) == _APART and max(tags.get(_BITS, (8,))) == 16:
        # One band at a time, which Pillow labels as 8-bit.
        wide = ";16L" if tags.prefix == b"II" else ";16B"
        file.tile = [tile._replace(args=(tile.args[0] + wide, *tile.args[1:])) for tile in tiles]


def gray_scale(picture: Image.Image) -> GrayScale | None:
    """The range of a gray TIFF with more than 8 bits.

    Args:
        picture: Any PIL image.

    Returns:
        None for every other picture, which Pillow reads correctly.
    """
    tags = getattr(picture, "tag_v2", None)
    if picture.format != "TIFF" or tags is None or not picture.mode.startswith("I"):
        return None
    bits, kind = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    if kind not in (_UNSIGNED, (_UNSIGNED,)) or bits not in ((12,), (16,), (32,)):
        return None
    return GrayScale(2 ** bits[0] - 1, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)
