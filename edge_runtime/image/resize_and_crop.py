"""The fit stage: a picture of any size to the input size of a model, by resize and crop.

The antialiased resize is Pillow's, see :mod:`edge_runtime.image.resize`. The plain one is here: bilinear
without antialiasing, as ``tf.image.resize`` and Keras' own loaders do it. A pixel of the result is
interpolated from the four around its centre, however many lie between them and the next: when a
picture shrinks, most of it is never read. Along each side::

    place  = (index + 1/2) * length / size - 1/2      in pixels of the picture
    first  = floor(place), the next one after it      at the ends both are the last pixel
    weight = (place - first) of the next one, in whole parts of 2048

All arithmetic is integer and rounded once, so the result is the same everywhere: in C if ``_native``
was compiled (compared with NumPy before its first use), else in NumPy. TensorFlow computes in
float32; rounded, its result differs by at most one.

:func:`by_channel` fits a picture of many megapixels without a second copy of it. The result is
bit-equal to processing it whole: colour conversion works per pixel, and Pillow resizes each channel
separately. A channel takes 1 byte per pixel where the picture takes 4, so each one is collected strip
by strip and resized alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from edge_runtime.image import resize
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.photo_memory import UInt8
from edge_runtime.image.resize import Size

Part: TypeAlias = tuple[int, int, int, int]
Taps: TypeAlias = np.ndarray[Any, np.dtype[np.int32]]

_BITS = 11
"""A sum of four pixels times two weights of up to 2048 fits 32 bits."""

_ONE = 1 << _BITS

_STRIP_PIXELS = 250_000
"""Pixels copied at a time from a picture in non-contiguous memory: 1 MB."""

_PROBES: tuple[tuple[Size, Size, Part], ...] = (
    ((83, 61), (17, 13), (0, 0, 83, 61)),
    ((83, 61), (31, 37), (11, 0, 72, 61)),
    ((9, 7), (22, 30), (0, 0, 9, 7)),
)
"""Size, new size and part: smaller, a part, larger."""

LARGE_PIXELS = 12_000_000
"""Pixels above which a second copy, at 4 bytes per pixel, would matter."""

_COLOUR_STRIP_PIXELS = 1_000_000
"""Pixels whose colours are converted at a time."""

_TURNED = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
)
_FROM_THE_END = (
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_270,
)


def fit(picture: Image.Image, spec: InputSpec) -> Image.Image:
    """Resizes and crops to the input's size; the antialiased resize is Pillow's.

    Args:
        picture: An ``RGB`` or ``L`` image.
        spec: Size, fit and resize.
    """
    size = (spec.width, spec.height)
    if picture.size == size:
        return picture
    if spec.resize == "plain":
        return Image.fromarray(fit_pixels(picture, spec))
    return resize.by_pillow(picture, size, box(picture.size, spec))


def fit_pixels(picture: Image.Image, spec: InputSpec) -> UInt8:
    """The pixels of :func:`fit`, by the compiled resize if available.

    Args:
        picture: An ``RGB`` or ``L`` image.
        spec: Size, fit and resize.

    Returns:
        uint8 ``[spec.height, spec.width, 3]``, or without the last axis for ``L``.
    """
    size = (spec.width, spec.height)
    if picture.size != size:
        if spec.resize == "plain":
            return by_picture(picture, size, kept_part(picture.size, spec))
        part = box(picture.size, spec)
        found = resize.compiled(picture, size, part)
        if found is not None:
            return found
        picture = resize.by_pillow(picture, size, part)
    return np.asarray(picture, dtype=np.uint8)


def fits_rows(spec: InputSpec) -> bool:
    """Whether :func:`fit_rows` can be used.

    Args:
        spec: Size, fit and resize.
    """
    return spec.resize == "plain" or resize.usable()


def fit_rows(rows: UInt8, spec: InputSpec) -> UInt8:
    """The pixels of :func:`fit` for a decoded picture that is not a Pillow image.

    Args:
        rows: uint8 ``[height, width, 4]``: red, green, blue and a pad byte; C-contiguous.
        spec: Size, fit and resize.

    Returns:
        uint8 ``[spec.height, spec.width, 3]``.
    """
    size, to = (rows.shape[1], rows.shape[0]), (spec.width, spec.height)
    if spec.resize == "plain":
        return by_rows(rows, to, kept_part(size, spec))
    return resize.resized(rows, size, to, box(size, spec))


def kept_part(size: resize.Size, spec: InputSpec) -> Part:
    """The crop in whole pixels for the plain resize, as Keras' ``crop_to_aspect_ratio`` takes it.

    Args:
        size: Width and height of the picture.
        spec: Size and fit.
    """
    if spec.fit == "stretch":
        return 0, 0, *size
    width = max(1, min(size[0], size[1] * spec.width // spec.height))
    height = max(1, min(size[1], size[0] * spec.height // spec.width))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def box(size: resize.Size, spec: InputSpec) -> resize.Box:
    """Left, top, right and bottom of the crop, in pixels of the picture.

    Args:
        size: Width and height of the picture.
        spec: Size and fit.
    """
    if spec.fit == "stretch":
        return 0, 0, *size
    # Sides rather than a scale factor: rounding errors of a division would leave the picture.
    width = min(size[0], size[1] * spec.width / spec.height)
    height = min(size[1], size[0] * spec.height / spec.width)
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height


def by_channel(
    picture: Image.Image,
    channels: int,
    method: Image.Transpose | None,
    colour: Callable[[Image.Image, int], Image.Image],
    fit: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    """Converts, rotates and resizes one channel after the other.

    Args:
        picture: A decoded picture of any mode.
        channels: 3 for RGB, 1 for grayscale.
        method: The transposition that puts it upright.
        colour: Converts a strip to that many channels.
        fit: Resizes an upright channel.
    """
    planes = [fit(_plane(picture, index, channels, method, colour)) for index in range(channels)]
    return planes[0] if channels == 1 else Image.merge("RGB", planes)


def _plane(
    picture: Image.Image,
    index: int,
    channels: int,
    method: Image.Transpose | None,
    colour: Callable[[Image.Image, int], Image.Image],
) -> Image.Image:
    width, height = picture.size
    plane = Image.new("L", (height, width) if method in _TURNED else (width, height))
    rows = max(1, _COLOUR_STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        strip = colour(picture.crop((0, top, width, bottom)), channels)
        strip = strip.getchannel(index) if channels > 1 else strip
        at = height - bottom if method in _FROM_THE_END else top
        turned = strip if method is None else strip.transpose(method)
        plane.paste(turned, (at, 0) if method in _TURNED else (0, at))
    return plane


def by_picture(picture: Image.Image, size: Size, part: Part) -> UInt8:
    """Resizes a part of a picture.

    Args:
        picture: Of mode ``RGB`` or ``L``.
        size: New width and height.
        part: Left, top, right and bottom of the part to resize, in whole pixels; nothing outside is read.

    Returns:
        uint8 ``[height, width, 3]``, or without the last axis for ``L``; not writable.
    """
    across, down = _taps(part[0], part[2], size[0]), _taps(part[1], part[3], size[1])
    out: UInt8 = np.empty((size[1], size[0], 3) if picture.mode == "RGB" else (size[1], size[0]), np.uint8)
    if not (usable() and _by_native(picture, out, across, down)):
        rows, start = max(1, _STRIP_PIXELS // picture.width), 0
        while start < len(down):
            first = int(down[start, 0])
            # At least one; if the picture shrinks much, few rows of a strip are read.
            end = max(start + 1, int(np.searchsorted(down[:, 0], first + rows - 1)))
            last = int(down[end - 1, 0] + (down[end - 1, 1] > 0))
            strip = picture.crop((0, first, picture.width, last + 1))
            lower = down[start:end] - np.array([first, 0], np.int32)
            if not (usable() and _by_native(strip, out[start:end], across, lower)):
                _by_numpy(np.asarray(strip), out[start:end], across, lower)
            start = end
    out.flags.writeable = False
    return out


def by_rows(rows: UInt8, size: Size, part: Part) -> UInt8:
    """Resizes a part of a decoded picture.

    Args:
        rows: uint8 ``[height, width, 4]``: red, green, blue and a pad byte; C-contiguous.
        size: New width and height.
        part: As :func:`by_picture`.

    Returns:
        uint8 ``[height, width, 3]``, not writable.
    """
    across, down = _taps(part[0], part[2], size[0]), _taps(part[1], part[3], size[1])
    out: UInt8 = np.empty((size[1], size[0], 3), np.uint8)
    if usable():
        from edge_runtime import _native

        _native.bilinear(rows, (rows.shape[1], rows.shape[0]), 4, out, across, down)
    else:
        _by_numpy(rows[:, :, :3], out, across, down)
    out.flags.writeable = False
    return out


@cache
def usable() -> bool:
    """Whether the module was compiled and resizes the probes as NumPy does."""
    try:
        return all(_same(*probe, mode) for probe in _PROBES for mode in ("RGB", "L"))
    except Exception:
        # Missing or broken: an accelerator must not stop anything.
        return False


def _same(size: Size, to: Size, part: Part, mode: str) -> bool:
    array = resize.probe(size)
    array = array if mode == "RGB" else np.ascontiguousarray(array[:, :, 0])
    across, down = _taps(part[0], part[2], to[0]), _taps(part[1], part[3], to[1])
    found, expected = (np.zeros((to[1], to[0], *array.shape[2:]), np.uint8) for _ in range(2))
    _by_numpy(array, expected, across, down)
    # A copy: Pillow does not export borrowed memory.
    picture = Image.fromarray(array).copy()
    return _by_native(picture, found, across, down) and np.array_equal(found, expected)


@lru_cache(maxsize=64)
def _taps(start: int, end: int, size: int) -> Taps:
    """Per pixel of the result: the first of its two source pixels, and the weight of the second."""
    length = end - start
    # Twice the position, in fractions of a result pixel.
    doubled = (2 * np.arange(size, dtype=np.int64) + 1) * length - size
    first, rest = np.divmod(doubled, 2 * size)
    weight = (rest * _ONE + size) // (2 * size)
    weight[(first < 0) | (first >= length - 1)] = 0
    taps: Taps = np.stack([start + np.clip(first, 0, length - 1), weight], axis=1).astype(np.int32)
    taps.flags.writeable = False
    return taps


def _by_native(picture: Image.Image, out: UInt8, across: Taps, down: Taps) -> bool:
    """Resizes directly from the picture's memory; False if that is not possible."""
    from edge_runtime import _native

    source = resize.memory(picture)
    if source is None:
        return False
    _native.bilinear(source, picture.size, 4 if picture.mode == "RGB" else 1, out, across, down)
    return True


def _by_numpy(array: UInt8, out: UInt8, across: Taps, down: Taps) -> None:
    columns, right = across[:, 0], across[:, 0] + (across[:, 1] > 0)
    upper, lower = down[:, :1], down[:, :1] + (down[:, 1:] > 0)
    colour = (1,) * (array.ndim - 2)
    wide: Taps = across[:, 1].reshape(1, -1, *colour)
    high: Taps = down[:, 1].reshape(-1, 1, *colour)
    above: Taps = array[upper, columns] * (_ONE - wide) + array[upper, right] * wide
    below: Taps = array[lower, columns] * (_ONE - wide) + array[lower, right] * wide
    half = 1 << (2 * _BITS - 1)
    out[...] = (above * (_ONE - high) + below * high + half) >> (2 * _BITS)
