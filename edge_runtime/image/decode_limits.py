"""Estimates the cost of decoding in advance: a small file can demand hours and gigabytes.

Guards, all based on the header:

* :class:`BoundedFile` stops parsers that are kept busy by thousands of tiny or overlapping blocks.
* :func:`check_structure` rejects files that no parser should start on.
* :func:`check_pixels` and :func:`check_cost` compare size and memory with the limits.
* :func:`jpeg_scans` counts the passes of a progressive JPEG over the whole picture.

:func:`keep_blocks` saves a cost: it lets Pillow keep a few blocks of image memory between images.
Each page of fresh memory causes a page fault; for a 320x240 photo, they cost as much as a third of
decoding and resizing it.
"""

from __future__ import annotations

import io
import os
import re

import msgspec
from PIL import Image, _imaging

from edge_runtime.common.errors import ImageError, ImageTooLargeError
from edge_runtime.image.tiff import tiff_excess

BYTES_PER_PIXEL = 6
"""Bytes of memory that decoding may take per allowed pixel: 300 MB at the default 50 megapixels.

Pillow holds an RGB pixel in 4 bytes. Images that need more than 6 must have fewer pixels.
"""

MAX_SIDE = 65_535
"""Longest side in pixels, that of a JPEG. Resizing takes 16 bytes per pixel of a side."""

MAX_SCANS = 100
"""Maximum scans of a progressive JPEG; encoders write about 10."""

MAX_SCANNED = 600_000_000
"""Maximum pixels times scans of a progressive JPEG: 50 megapixels in 12 scans."""

HEADER_READS = 10_000
"""Maximum reads while a header is parsed; a photo with large metadata takes a few hundred."""

ALL_READS = 400_000
"""Maximum reads in all; Pillow reads a chunk at a time, in rare formats a pixel."""

MAX_PLAIN_BYTES = 2_000_000
"""Maximum bytes of a PPM in text form, which Pillow reads slowly."""

KEPT_BLOCKS = 4
"""Blocks of 1 MiB (Pillow's size): the photo, the two passes of its resize, and one more."""

_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
_BITS_PER_SAMPLE = 258
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


class TooCostlyError(ValueError):
    """A file whose structure demands far more work than its content justifies."""


class BoundedFile(io.BytesIO):
    """A file over bytes that limits the number of reads and bytes read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads_left = HEADER_READS
        # A normal file makes a parser read each byte once, or twice when it searches.
        self._bytes_left = 4 * len(data) + 1_000_000

    def header_done(self) -> None:
        """Raises the limit to what decoding needs."""
        self._reads_left = ALL_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads like any file.

        Raises:
            TooCostlyError: There were too many reads or bytes.
        """
        data = super().read(size)
        self._reads_left -= 1
        self._bytes_left -= len(data)
        if self._reads_left < 0 or self._bytes_left < 0:
            raise TooCostlyError("its blocks are too many or overlap")
        return data


class JpegScans(msgspec.Struct, frozen=True):
    """The scans of a JPEG.

    Attributes:
        count: Scans over the picture; 1 if the first one holds everything.
        buffered_bytes: Memory per pixel for coefficients, needed only for several scans.
    """

    count: int
    buffered_bytes: float


def jpeg_scans(data: bytes) -> JpegScans:
    """Counts the scans of a JPEG.

    Args:
        data: An encoded JPEG; of a damaged one, the scans found so far are counted.
    """
    at, components, coefficients, progressive = 2, 1, 1.0, False
    count = 0
    while match := _MARKER.search(data, at):
        marker, at = match[1][0], match.end()
        if marker == 0xD9:
            break
        if marker in (0x01, 0xD8):
            continue
        segment = data[at : at + 64]
        if marker in _FRAMES and len(segment) >= 8:
            progressive, components = marker in _PROGRESSIVE, segment[7]
            coefficients = _coefficients_per_pixel(segment, components)
        if marker == 0xDA:
            count += 1
            if not progressive and len(segment) > 2 and segment[2] >= components:
                return JpegScans(1, 0.0)
        at += max(2, int.from_bytes(segment[:2], "big"))
    return JpegScans(max(1, count), 2 * coefficients)


def check_structure(data: bytes, name: str) -> None:
    """Checks the structure before any parser runs.

    Args:
        data: The encoded image, of any format.
        name: Its name for messages.

    Raises:
        ImageTooLargeError: Parsing alone would take too long.
    """
    excess = tiff_excess(data)
    if data[:2] in (b"P1", b"P2", b"P3") and len(data) > MAX_PLAIN_BYTES:
        excess = f"a PPM written as text of {len(data):,} bytes, at most {MAX_PLAIN_BYTES:,}"
    if excess:
        raise ImageTooLargeError(
            f"An image's header must be cheap to parse. Received: {name}, {excess}. Save it again."
        )


def check_pixels(picture: Image.Image, name: str, max_pixels: int) -> None:
    """Checks the size of a picture.

    Args:
        picture: Opened, not decoded.
        name: Its name for messages.
        max_pixels: Limit of width times height.

    Raises:
        ImageTooLargeError: It exceeds the limit, or a side is longer than :data:`MAX_SIDE`.
        ImageError: It has no pixels.
    """
    count = picture.width * picture.height
    if count > max_pixels:
        raise ImageTooLargeError(
            f"An image must have at most {max_pixels:,} pixels. Received: {name}, "
            f"{picture.width}x{picture.height} = {count:,}. Send a smaller one."
        )
    if max(picture.size) > MAX_SIDE:
        raise ImageTooLargeError(
            f"An image's sides must be at most {MAX_SIDE:,} pixels. Received: {name}, "
            f"{picture.width}x{picture.height}. Send a smaller one."
        )
    if count == 0:
        raise ImageError(
            f"An image must have pixels. Received: {name}, {picture.width}x{picture.height}. Replace it."
        )


def check_cost(picture: Image.Image, data: bytes, name: str, max_pixels: int) -> None:
    """Checks the memory and scans that decoding takes.

    Args:
        picture: Opened, not decoded.
        data: The encoded image.
        name: Its name for messages.
        max_pixels: Limit of pixels, from which the allowed memory follows.

    Raises:
        ImageTooLargeError: It takes too much.
    """
    count = picture.width * picture.height
    per_pixel: float = _PIXEL_BYTES.get(picture.mode, 4)
    if picture.format in ("JPEG", "MPO"):
        layout = jpeg_scans(data)
        per_pixel += layout.buffered_bytes
        if layout.count > 1 and (layout.count > MAX_SCANS or layout.count * count > MAX_SCANNED):
            raise ImageTooLargeError(
                f"A JPEG must have at most {MAX_SCANS} scans, and {MAX_SCANNED:,} pixels in all of them. "
                f"Received: {name}, {layout.count} of {picture.width}x{picture.height}. Save it again."
            )
    elif picture.format == "WEBP":
        # libwebp's canvases and its copy of the result, and the lossless decoder's own picture.
        per_pixel += 20 if b"VP8L" in data else 14
    elif picture.format == "TIFF":
        # A strip may hold the whole picture, in the file's own depth.
        per_pixel += _stored_bytes_per_pixel(picture)
    needed, allowed = round(count * per_pixel), BYTES_PER_PIXEL * max_pixels
    if needed > allowed:
        raise ImageTooLargeError(
            f"An image must decode in at most {allowed:,} bytes of memory. Received: {name}, a {picture.format} "
            f"of {picture.width}x{picture.height} that takes {needed:,}. Send a smaller one or raise max_pixels."
        )


def _stored_bytes_per_pixel(picture: Image.Image) -> float:
    tags = getattr(picture, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (8,))
    return sum(bits) / 8 if isinstance(bits, tuple) else 8.0


def _coefficients_per_pixel(frame: bytes, components: int) -> float:
    """Values per pixel over all components: 3 for 4:4:4, 1.5 for 4:2:0."""
    samplings = [frame[9 + 3 * index] for index in range(components) if 9 + 3 * index < len(frame)]
    across, down = ([max(1, value >> 4) for value in samplings], [max(1, value & 15) for value in samplings])
    areas = [width * height for width, height in zip(across, down, strict=True)]
    return sum(areas) / (max(across, default=1) * max(down, default=1))


def keep_blocks() -> None:
    """Sets :data:`KEPT_BLOCKS`, unless this process or its environment already set a number.

    Pillow documents the setting as ``PILLOW_BLOCKS_MAX``; pixels do not change.
    """
    if "PILLOW_BLOCKS_MAX" in os.environ:
        return
    # A Pillow without this allocator.
    if getattr(_imaging, "get_blocks_max", lambda: None)() == 0:
        _imaging.set_blocks_max(KEPT_BLOCKS)
