"""The extra ``fast``: JPEG decoding by simplejpeg, if its pixels equal Pillow's bit for bit.

Both wrap libjpeg-turbo. Before its first use, simplejpeg decodes a probe; if its version rounds
differently from Pillow's, it is never used. Pillow decodes the first JPEG of a process, so that a
program that classifies once does not wait for the probe. Pixels are written in Pillow's own layout,
four bytes each, so that Pillow can use that memory without a copy.
"""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec

import numpy as np
from PIL import Image

from edge_runtime.image.photo_memory import UInt8, picture_over

_MEMORY = "_snapship_memory"
_COLOUR_SPACES = {"RGB": "RGBX", "L": "GRAY"}

_first = iter((True,))


def decode(data: bytes, header: Image.Image) -> Image.Image | None:
    """Decodes a JPEG, or leaves it to Pillow.

    Args:
        data: The encoded image.
        header: The same image, opened by Pillow but not decoded.

    Returns:
        An image with the header's metadata; None if simplejpeg is not installed, not bit-equal, or
        rejects the file (Pillow decides about damaged files).
    """
    if header.format != "JPEG" or header.mode not in _COLOUR_SPACES or not ready():
        return None
    array = _decode(data, header.mode)
    if array is None or array.shape[:2] != (header.height, header.width):
        return None
    picture = _picture(array, header.mode)
    picture.info = dict(header.info)
    return picture


def ready() -> bool:
    """Whether to use simplejpeg now: not for the first JPEG of a process, and only if :func:`usable`."""
    # Atomic in CPython, so threads need no lock; both decoders give the same pixels.
    return not next(_first, False) and usable()


def decode_jpeg(data: bytes, rows: UInt8) -> bool:
    """Decodes a JPEG to red, green, blue and a pad byte; only if :func:`usable`.

    Args:
        data: The encoded image, with three components.
        rows: Takes the pixels, uint8 ``[height, width, 4]``, of the size in the image's header.

    Returns:
        Whether simplejpeg accepts the file.
    """
    array = _decode(data, "RGB", rows.reshape(-1))
    return array is not None and array.shape == rows.shape


def memory(picture: Image.Image) -> UInt8 | None:
    """The rows of an unmodified picture from :func:`decode`.

    Args:
        picture: Any PIL image of mode ``RGB``.

    Returns:
        uint8 ``[height, width, 4]``, not to be written to; None for any other picture.
    """
    return getattr(picture, _MEMORY, None) if picture.readonly else None


@cache
def usable() -> bool:
    """Whether simplejpeg is installed and decodes the probe as Pillow does."""
    if find_spec("simplejpeg") is None:
        return False
    try:
        return all(_same(mode) for mode in _COLOUR_SPACES)
    except Exception:
        # A broken install of an optional accelerator must not stop anything.
        return False


def _same(mode: str) -> bool:
    """Compares both decoders on a picture of odd size with edges, ramps and subsampled colour."""
    rows, columns = np.mgrid[0:61, 0:83]
    ramps = np.stack([3 * columns, 4 * rows, (rows * columns) % 256], axis=2).astype(np.uint8)
    stored = io.BytesIO()
    Image.fromarray(ramps).convert(mode).save(stored, "JPEG", quality=85)
    with Image.open(io.BytesIO(stored.getvalue())) as picture:
        expected = np.asarray(picture)
    found = _decode(stored.getvalue(), mode)
    return found is not None and np.array_equal(np.asarray(_picture(found, mode)), expected)


def _picture(array: UInt8, mode: str) -> Image.Image:
    """An image that shares the array's memory; if this Pillow cannot do that, the probe fails."""
    picture = picture_over(array, mode)
    if mode == "RGB":
        setattr(picture, _MEMORY, array)
    return picture


def _decode(data: bytes, mode: str, buffer: UInt8 | None = None) -> UInt8 | None:
    """``[height, width, 4]`` of RGB and a pad byte, or ``[height, width]`` of gray; None if rejected."""
    import simplejpeg

    try:
        array: UInt8 = simplejpeg.decode_jpeg(
            data, colorspace=_COLOUR_SPACES[mode], fastdct=False, fastupsample=False, buffer=buffer
        )
    except (ValueError, MemoryError):
        return None
    return array[:, :, 0] if mode == "L" else array
