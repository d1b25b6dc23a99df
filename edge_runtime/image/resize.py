"""Pillow's antialiased bilinear resize, bit-equal across versions of Pillow.

Pillow filters along the rows, rounds to 8 bits, and filters along the columns. Since version 13
it starts with the columns if the height shrinks by more than twice as many pixels as the width,
which changes values by one. A bundle outlives versions: here the rows always come first.

If ``_native`` was compiled, it resizes RGB several times faster; before its first use it is compared
with Pillow (1 ms). NumPy reads its result in place, but a Pillow image only after an import of 6 ms,
so the first prediction is faster, too.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageChops

from edge_runtime.image import fast_jpeg, photo_memory
from edge_runtime.image.photo_memory import UInt8

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[float, float, float, float]

_PROBES: tuple[tuple[Size, Size, Box], ...] = (
    ((83, 61), (17, 13), (0, 0, 83, 61)),
    ((83, 61), (31, 37), (10.25, 0, 71.75, 60.5)),
    ((29, 97), (23, 11), (0, 0, 29, 97)),
    ((9, 7), (22, 30), (0, 0, 9, 7)),
)
"""Size, new size and part: smaller, a part, tall (columns first in Pillow 13), larger."""

_LARGE_BETWEEN = 4_000_000
"""Pixels between the two passes above which channels are resized one by one: 16 MB for all three."""


def by_pillow(picture: Image.Image, size: Size, box: Box) -> Image.Image:
    """Resizes any picture.

    Args:
        picture: In a mode that Pillow can filter, such as ``RGB`` or ``L``.
        size: New width and height.
        box: Left, top, right and bottom of the part to resize, in pixels.
    """
    columns_first = picture.height > size[1] and picture.height - size[1] > 2 * (picture.width - size[0])
    if columns_first:
        if picture.mode == "RGB" and size[0] * picture.height > _LARGE_BETWEEN:
            channels = [by_pillow(picture.getchannel(index), size, box) for index in range(3)]
            return Image.merge("RGB", channels)
        left, top, right, bottom = box
        rows_only = (left, 0, right, picture.height)
        picture = picture.resize((size[0], picture.height), Image.Resampling.BILINEAR, box=rows_only)
        box = (0, top, size[0], bottom)
    return picture.resize(size, Image.Resampling.BILINEAR, box=box)


def compiled(picture: Image.Image, size: Size, box: Box) -> UInt8 | None:
    """Resizes an RGB picture with the compiled module.

    Args:
        picture: Decoded.
        size: New width and height.
        box: Left, top, right and bottom of the part to resize, in pixels.

    Returns:
        uint8 ``[height, width, 3]``; None if the module is missing, not bit-equal, or cannot
        read the picture's memory: Pillow must do it.
    """
    if picture.mode != "RGB" or not usable():
        return None
    source = memory(picture)
    if source is not None:
        return resized(source, picture.size, size, box)
    if not photo_memory.usable():
        return None
    try:
        with photo_memory.rows_of(picture.size) as rows:
            # Copying and resizing takes half as long as Pillow's resize.
            photo_memory.copy_picture(picture, rows)
            return resized(rows, picture.size, size, box)
    except MemoryError:
        return None


def memory(picture: Image.Image) -> object | None:
    """The memory of a picture, for ``_native``.

    Args:
        picture: Decoded, of mode ``RGB`` or ``L``.

    Returns:
        None if the memory is not contiguous.
    """
    return fast_jpeg.memory(picture) if picture.readonly else _exported(picture)


def resized(source: object, size: Size, to: Size, box: Box) -> UInt8:
    """Resizes rows of 4 bytes per pixel; only if :func:`usable`.

    Args:
        source: Memory that ``_native.resize`` accepts.
        size: Width and height of the picture.
        to: New width and height.
        box: Left, top, right and bottom of the part to resize, in pixels.

    Returns:
        uint8 ``[height, width, 3]``, not writable, like an array of a Pillow image.
    """
    from edge_runtime import _native

    out: UInt8 = np.empty((to[1], to[0], 3), np.uint8)
    _native.resize(source, size, out, to, box)
    out.flags.writeable = False
    return out


@cache
def usable() -> bool:
    """Whether the module was compiled and resizes the probes as Pillow does."""
    try:
        return all(_same(*probe) for probe in _PROBES)
    except Exception:
        # Missing or broken: an accelerator must not stop anything.
        return False


def probe(size: Size) -> UInt8:
    """Noise, a chequered pattern and a full channel, on which two ways to resize are compared.

    Args:
        size: Width and height.

    Returns:
        uint8 ``[height, width, 3]``.
    """
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    values = [rows * columns * 37 % 256, 255 * ((rows // 3 + columns // 5) % 2), np.full_like(rows, 255)]
    return np.stack(values, axis=2).astype(np.uint8)


def _same(size: Size, to: Size, box: Box) -> bool:
    picture = Image.fromarray(probe(size))
    source = _exported(picture)
    if source is None:
        return False
    # Compared by Pillow: handing its pixels to NumPy would import its file formats.
    found = Image.fromarray(resized(source, size, to, box))
    return ImageChops.difference(found, by_pillow(picture, to, box)).getbbox() is None


def _exported(picture: Image.Image) -> object | None:
    """Pillow's own memory of a picture, without a copy."""
    try:
        return picture.__arrow_c_array__()[1]
    except ValueError:
        # The memory of a picture of several megabytes is not contiguous.
        return None
