"""Corrects TIFF samples of more than 8 bits that Pillow rejects or misreads.

Pillow reads gray of 12 to 32 bits as stored: if 0 is white, the picture would be a negative, 12 bits
would be nearly black, and unsigned 32 bits turn negative in its signed mode. For big-endian files it
supports fewer kinds, and reads compressed ones in the wrong byte order. Uncompressed planes of 16
bits it reads as 8.

:func:`readable` changes the tags of such a file to ones that Pillow knows; :func:`corrected` restores
the true ones, and :func:`gray_scale` gives the colour stage the range of the numbers. The resulting
values equal those of OpenCV and libvips.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from PIL import Image

from edge_runtime.tiff_header import first_directory, short_values, with_short_values

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANES, _SAMPLE_FORMAT = 258, 262, 277, 284, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_UNSIGNED, _SIGNED = 1, 2
_APART = 2
_NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS"}


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
