"""Rotates and resizes a picture of many megapixels without a second copy of it.

The result is bit-equal to processing it whole: colour conversion works per pixel, and Pillow
resizes each channel separately. A channel takes 1 byte per pixel where the picture takes 4, so
each one is collected strip by strip and resized alone.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

LARGE_PIXELS = 12_000_000
"""Pixels above which a second copy, at 4 bytes per pixel, would matter."""

_STRIP_PIXELS = 1_000_000
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
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        strip = colour(picture.crop((0, top, width, bottom)), channels)
        strip = strip.getchannel(index) if channels > 1 else strip
        at = height - bottom if method in _FROM_THE_END else top
        turned = strip if method is None else strip.transpose(method)
        plane.paste(turned, (at, 0) if method in _TURNED else (0, at))
    return plane
