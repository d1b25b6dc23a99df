"""Fast path for most photos: plain JPEGs, straight to pixels.

Such a picture is upright, has no transparency, is stored in one scan and has JFIF colours, so the
stages of :mod:`edge_runtime.image.preprocess` between decoding and resizing have nothing to do. The
decoder and the pixels are the same. This skips Pillow's parsing of the header (7 ms of imports for
the first prediction, 0.2 ms for each other) and fresh memory for each photo.
"""

from __future__ import annotations

from PIL import Image

from edge_runtime.image import fast_jpeg, photo_memory
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.orientation_and_colour import exif_orientation
from edge_runtime.image.photo_memory import UInt8, rows_of
from edge_runtime.image.resize_and_crop import LARGE_PIXELS, fit_pixels, fit_rows, fits_rows

_FRAME, _SCAN, _QUANTIZATION = 0xC0, 0xDA, 0xDB
_JFIF, _EXIF, _ICC = 0xE0, 0xE1, 0xE2
_STARTS = (b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1")
_UPRIGHT = 1
_WITHOUT_MEANING = frozenset({0xC4, 0xDD, 0xFE})
"""Huffman tables, restart interval, comment: left to the decoder, or irrelevant."""

MAX_SEGMENTS = 1_000
"""Maximum segments of a header; encoders write about ten, and 300 for a colour profile of 20 MB."""


def plain_pixels(data: bytes, spec: InputSpec, max_pixels: int) -> UInt8 | None:
    """Decodes and resizes a plain JPEG.

    Args:
        data: An encoded image of any format.
        spec: The model's input.
        max_pixels: Limit of width times height.

    Returns:
        uint8 ``[spec.height, spec.width, 3]``; None if the general path must handle it,
        which also decides about damaged, unusual or too large files.
    """
    size = plain_size(data)
    if size is None or spec.channels != 3 or not 0 < size[0] * size[1] <= max_pixels:
        return None
    if size != (spec.width, spec.height) and fits_rows(spec) and photo_memory.usable():
        decode_jpeg = fast_jpeg.decode_jpeg if fast_jpeg.ready() else photo_memory.decode_jpeg
        try:
            with rows_of(size) as rows:
                return fit_rows(rows, spec) if decode_jpeg(data, rows) else None
        except MemoryError:
            return None
    if size[0] * size[1] > LARGE_PIXELS:
        return None
    try:
        # As Pillow's JPEG plugin does for a plain file, without importing the plugin.
        picture = Image.frombytes("RGB", size, data, "jpeg", "RGB", "")
    except (ValueError, OSError, MemoryError):
        return None
    return fit_pixels(picture, spec)


def plain_size(data: bytes) -> tuple[int, int] | None:
    """Reads a header up to the first pixel.

    Args:
        data: An encoded image of any format.

    Returns:
        Width and height of a baseline file of three 8-bit components of the usual colours (JFIF, or
        numbered as in JFIF) in one scan, whose other segments are tables, comments, a colour profile
        (which nothing here applies) and EXIF that says that the picture is upright, which XMP cannot
        contradict; else None.
    """
    if data[:4] not in _STARTS:
        return None
    at, size = 2, None
    usual_colours = upright = described = False
    for _ in range(MAX_SEGMENTS):
        head = data[at : at + 20]
        if len(head) < 20 or head[0] != 0xFF:
            return None
        marker, length = head[1], head[2] << 8 | head[3]
        if marker == _SCAN:
            whole = (
                usual_colours
                and (upright or not described)
                and length == 12
                and head[4] == 3
                and head[11:14] == b"\0\x3f\0"
            )
            return size if whole else None
        if marker == _FRAME:
            if size is not None or length != 17 or head[4] != 8 or head[9] != 3:
                return None
            size = head[7] << 8 | head[8], head[5] << 8 | head[6]
            usual_colours |= (head[10], head[13], head[16]) == (1, 2, 3)
        elif marker == _QUANTIZATION:
            # 64 8-bit values after the number of each table.
            if length % 65 != 2 or max(data[at + 4 : at + 2 + length : 65], default=0) > 3:
                return None
        elif marker == _JFIF:
            if at != 2 or length != 16 or head[4:9] != b"JFIF\0":
                return None
            usual_colours = True
        elif marker == _EXIF and head[4:10] == b"Exif\0\0":
            if upright or exif_orientation(data[at + 4 : at + 2 + length]) != _UPRIGHT:
                return None
            upright = True
        elif marker == _EXIF and length >= 2:
            described = True
        elif marker == _ICC:
            if length < 18 or head[4:16] != b"ICC_PROFILE\0":
                return None
        elif marker not in _WITHOUT_MEANING or length < 2:
            return None
        at += 2 + length
    return None
