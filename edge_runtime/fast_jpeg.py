"""The extra ``fast``: JPEG decoding by simplejpeg, where its pixels are Pillow's bit for bit.

Both wrap libjpeg-turbo. Before its first use, simplejpeg decodes a probe; where its
version rounds differently from Pillow's, it is never used; a process's first JPEG is
Pillow's, since a program that answers once would wait for the probe. Its pixels are written as
Pillow keeps them, four bytes each, so that Pillow works on that memory without a copy.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, _imaging

UInt8: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

_MEMORY = "_snapship_memory"
_COLOUR_SPACES = {"RGB": "RGBX", "L": "GRAY"}

_KEPT_BYTES = 4_000_000
"""Largest picture whose memory a thread keeps for its next one: a megapixel."""

_first = iter((True,))
_kept = threading.local()


def decode(data: bytes, header: Image.Image) -> Image.Image | None:
    """Decodes a JPEG, or leaves it to Pillow.

    Args:
        data: The encoded image.
        header: The same, opened by Pillow and not decoded.

    Returns:
        An image with the header's metadata; None where simplejpeg is not installed, not
        bit-equal, or refuses the file (Pillow is the judge of damaged files).
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
    """Whether simplejpeg may be used now: not for a process's first JPEG, and where :func:`usable` says so."""
    # One operation of the interpreter, so that threads need no lock; both decoders give the same pixels.
    return not next(_first, False) and usable()


@contextmanager
def rows(data: bytes, size: tuple[int, int]) -> Iterator[UInt8 | None]:
    """Decodes a JPEG to red, green, blue and a pad byte; only where :func:`usable` says so.

    Args:
        data: The encoded image, of three components.
        size: Its width and height, from its header.

    Yields:
        uint8 ``[height, width, 4]``, in memory that this thread keeps for its next photo, or None
        when simplejpeg refuses the file.
    """
    count = 4 * size[0] * size[1]
    # Taken, not borrowed: a signal handler that decodes meanwhile must find none.
    buffer: UInt8 | None = _kept.__dict__.pop("buffer", None)
    if buffer is None or len(buffer) < count:
        buffer = np.empty(count, np.uint8)
    array = _decode(data, "RGB", buffer[:count])
    try:
        yield array if array is not None and array.shape == (size[1], size[0], 4) else None
    finally:
        if len(buffer) <= _KEPT_BYTES:
            _kept.buffer = buffer


def memory(picture: Image.Image) -> UInt8 | None:
    """The rows of a picture that :func:`decode` made and nobody wrote to.

    Args:
        picture: Any PIL image of mode ``RGB``.

    Returns:
        uint8 ``[height, width, 4]``, which must not be written to; None for any other picture.
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
    return found is not None and np.array_equal(np.asarray(_picture(found, mode)), expected)


def _picture(array: UInt8, mode: str) -> Image.Image:
    """An image on the array's own memory, which it keeps alive and must not write to."""
    height, width = array.shape[:2]
    if mode == "L":
        return Image.frombuffer("L", (width, height), array, "raw", "L", 0, 1)
    # Image.frombuffer maps RGBX but copies RGB, though both have the same four bytes in memory:
    # these are its own lines. Where a Pillow has them no more, the probe fails and Pillow decodes.
    picture = Image.new("RGB", (0, 0))._new(
        _imaging.map_buffer(array, (width, height), "raw", 0, (mode, 0, 1))
    )
    picture.readonly = 1
    setattr(picture, _MEMORY, array)
    return picture


def _decode(data: bytes, mode: str, buffer: UInt8 | None = None) -> UInt8 | None:
    """``[height, width, 4]`` of RGB and a pad byte, or ``[height, width]`` of gray; None when refused."""
    import simplejpeg

    try:
        array: UInt8 = simplejpeg.decode_jpeg(
            data, colorspace=_COLOUR_SPACES[mode], fastdct=False, fastupsample=False, buffer=buffer
        )
    except (ValueError, MemoryError):
        return None
    return array[:, :, 0] if mode == "L" else array
