"""Samples of more than 8 bits in a TIFF, where Pillow refuses or misreads them.

Pillow takes gray of 12 to 32 bits as it is stored: where 0 is white the picture would be a
negative, 12 bits would be nearly black, and unsigned 32 bits turn negative in its signed mode. In
big-endian files it knows fewer kinds, and takes compressed ones for the other byte order. Planes of
16 bits that are not compressed it reads as 8.

Such a file is opened under tags that Pillow knows, by :func:`readable`; :func:`corrected` puts the
true ones back, and :func:`gray_scale` tells the colour stage what the numbers mean. The values
are those of OpenCV and libvips.
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
    """What a gray number means.

    Attributes:
        highest: The largest number that a sample can have.
        inverted: Whether that one is black, and 0 white.
    """

    highest: int
    inverted: bool


def readable(data: bytes) -> tuple[bytes, dict[int, int]]:
    """Makes a gray TIFF of 12, 16 or 32 bits one that Pillow opens and takes as it is stored.

    Args:
        data: An encoded image of any format.

    Returns:
        The bytes to open, and the true values of the tags that were changed: none for other files.
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
    """Puts true tags back, and corrects how Pillow is about to decode.

    Args:
        picture: Opened by Pillow, not decoded.
        true: What :func:`readable` returned with the bytes.
    """
    # What is set here are attributes of Pillow's TIFF class alone.
    file: Any = picture
    if picture.format != "TIFF" or not file.tile:
        return
    tags, tiles = file.tag_v2, file.tile
    for tag, value in true.items():
        tags[tag] = value
    first = tiles[0]
    if first.codec_name == "libtiff":
        # libtiff's numbers are in this machine's byte order, and Pillow forgets it for signed ones.
        raw, *others = first.args
        file.tile = [first._replace(args=(_NATIVE.get(raw, raw), *others))]
    elif tags.get(_PLANES) == _APART and max(tags.get(_BITS, (8,))) == 16:
        # One band at a time, and Pillow names it as if it had 8 bits.
        wide = ";16L" if tags.prefix == b"II" else ";16B"
        file.tile = [tile._replace(args=(tile.args[0] + wide, *tile.args[1:])) for tile in tiles]


def gray_scale(picture: Image.Image) -> GrayScale | None:
    """What the numbers of a gray TIFF of more than 8 bits mean.

    Args:
        picture: Any PIL image.

    Returns:
        None for every other picture, whose numbers mean what Pillow takes them for.
    """
    tags = getattr(picture, "tag_v2", None)
    if picture.format != "TIFF" or tags is None or not picture.mode.startswith("I"):
        return None
    bits, kind = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    if kind not in (_UNSIGNED, (_UNSIGNED,)) or bits not in ((12,), (16,), (32,)):
        return None
    return GrayScale(2 ** bits[0] - 1, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)
