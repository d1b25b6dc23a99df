"""The extra ``fast``: JPEG decoding by simplejpeg, where its pixels are Pillow's bit for bit.

Both wrap libjpeg-turbo. Before its first use, simplejpeg decodes a probe; where its
version rounds differently from Pillow's, it is never used.
"""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image

_COLOUR_SPACES = {"RGB": "RGB", "L": "GRAY"}


def decode(data: bytes, header: Image.Image) -> Image.Image | None:
    """Decodes a JPEG, or leaves it to Pillow.

    Args:
        data: The encoded image.
        header: The same, opened by Pillow and not decoded.

    Returns:
        An image with the header's metadata; None where simplejpeg is not installed, not
        bit-equal, or refuses the file (Pillow is the judge of damaged files).
    """
    if header.format != "JPEG" or header.mode not in _COLOUR_SPACES or not usable():
        return None
    array = _decode(data, header.mode)
    if array is None or array.shape[:2] != (header.height, header.width):
        return None
    picture = Image.fromarray(array)
    picture.info = dict(header.info)
    return picture


@cache
def usable() -> bool:
    """Whether simplejpeg is installed and decodes the probe as Pillow does."""
    if find_spec("simplejpeg") is None:
        return False
    try:
        return all(_same(mode) for mode in _COLOUR_SPACES)
    except Exception:
        # A broken install of an optional speed-up must not stop anything.
        return False


def _same(mode: str) -> bool:
    """Compares both decoders on a picture with edges, ramps and subsampled colour, of odd size."""
    rows, columns = np.mgrid[0:61, 0:83]
    ramps = np.stack([3 * columns, 4 * rows, (rows * columns) % 256], axis=2).astype(np.uint8)
    stored = io.BytesIO()
    Image.fromarray(ramps).convert(mode).save(stored, "JPEG", quality=85)
    with Image.open(io.BytesIO(stored.getvalue())) as picture:
        expected = np.asarray(picture)
    found = _decode(stored.getvalue(), mode)
    return found is not None and np.array_equal(found, expected)


def _decode(data: bytes, mode: str) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    import simplejpeg

    try:
        array: np.ndarray[Any, np.dtype[np.uint8]] = simplejpeg.decode_jpeg(
            data, colorspace=_COLOUR_SPACES[mode], fastdct=False, fastupsample=False
        )
    except (ValueError, MemoryError):
        return None
    return array[:, :, 0] if mode == "L" else array
