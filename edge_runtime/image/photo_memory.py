"""Memory that a decoder writes a photo to: a thread's own, used again for its next photo.

Each page of fresh memory causes a page fault and is zeroed first: for a photo of 12 megapixels that
takes a fifth as long as decoding it. A large block is therefore kept, too, but marked as free between
photos: the system takes it as soon as it is short of memory (``MADV_FREE``).

Pixels are in Pillow's own layout, four bytes each. Pillow's own memory of a photo of more than four
megapixels is in pieces, which the compiled resize cannot read; this one is not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image, _imaging

if TYPE_CHECKING:
    import mmap

UInt8: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

_SMALL_BYTES = 4_000_000
"""Largest block that a thread keeps for itself."""

_LARGE_BYTES = 64_000_000
"""Largest block that a thread keeps until the system needs it: a photo of 16 megapixels."""

_LINE_BYTES = 64
"""A small block starts a quarter into such a line: to a row that starts at whole 32 bytes libjpeg-turbo
writes past the cache, and a small photo is still in it when it is resized. A tenth of the decoding."""

_kept = threading.local()


@contextmanager
def rows_of(size: tuple[int, int]) -> Iterator[UInt8]:
    """Lends memory for a photo.

    Args:
        size: Width and height in pixels.

    Yields:
        uint8 ``[height, width, 4]``, with the pixels of an earlier photo or any others.

    Raises:
        MemoryError: There is none left.
    """
    count = 4 * size[0] * size[1]
    # Take it out of the cache: a signal handler that decodes meanwhile must not find it.
    block: _Block | None = _kept.__dict__.pop("block", None)
    if block is None or len(block.bytes) < count:
        # The old one first, lest both are held.
        block = None
        block = _Block(count)
    try:
        yield block.bytes[:count].reshape(size[1], size[0], 4)
    finally:
        if block.kept(count):
            _kept.block = block


class _Block:
    """Bytes, and how to mark them as free."""

    def __init__(self, count: int) -> None:
        self._map = _mapped(count) if count > _SMALL_BYTES else None
        if self._map is not None:
            self.bytes: UInt8 = np.frombuffer(self._map, np.uint8)
            return
        room: UInt8 = np.empty(count + _LINE_BYTES, np.uint8)
        start = (_LINE_BYTES // 4 - room.ctypes.data) % _LINE_BYTES
        self.bytes = room[start : start + count]

    def kept(self, used: int) -> bool:
        """Whether to keep it; marks what a large photo used as free."""
        if used <= _SMALL_BYTES:
            return True
        if self._map is None or len(self.bytes) > _LARGE_BYTES:
            return False
        import mmap

        return _advised(self._map, mmap.MADV_FREE)


def _mapped(count: int) -> mmap.mmap | None:
    """Memory that can be marked as free; None on a system without that, such as Windows."""
    # Only large photos need it.
    import mmap

    if not hasattr(mmap, "MADV_FREE"):
        return None
    try:
        found = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no {count:,} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # A kernel without huge pages rejects this.
        _advised(found, mmap.MADV_HUGEPAGE)
    return found


def _advised(memory: mmap.mmap, advice: int) -> bool:
    try:
        memory.madvise(advice)
    except OSError:
        return False
    return True


def picture_over(rows: UInt8, mode: str) -> Image.Image:
    """An image that shares an array's memory and keeps it alive.

    Args:
        rows: uint8 ``[height, width, 4]`` for mode ``RGB``, ``[height, width]`` for ``L``.
        mode: ``RGB`` or ``L``.

    Returns:
        A read-only image: Pillow copies it before it changes it.
    """
    height, width = rows.shape[:2]
    if mode == "L":
        return Image.frombuffer("L", (width, height), rows, "raw", "L", 0, 1)
    # Image.frombuffer maps RGBX but copies RGB, though both have the same four bytes in memory:
    # these are its own lines.
    picture = Image.Image()._new(_imaging.map_buffer(rows, (width, height), "raw", 0, (mode, 0, 1)))
    picture.readonly = 1
    return picture


def decode_jpeg(data: bytes, rows: UInt8) -> bool:
    """Decodes a plain JPEG with Pillow's decoder; only if :func:`usable`.

    Args:
        data: The encoded image, of three components.
        rows: Takes the pixels, uint8 ``[height, width, 4]``, of the size in the image's header.

    Returns:
        Whether it could be decoded to its last pixel.
    """
    try:
        # As Pillow's JPEG plugin does for a plain file, without importing the plugin.
        picture_over(rows, "RGB").frombytes(data, "jpeg", "RGB", "")
    except (ValueError, OSError, MemoryError):
        return False
    return True


def copy_picture(picture: Image.Image, rows: UInt8) -> None:
    """Copies the pixels of a picture; only if :func:`usable`.

    Args:
        picture: Decoded, of mode ``RGB``.
        rows: Takes the pixels, uint8 ``[height, width, 4]``, of the picture's size.
    """
    copied = picture_over(rows, "RGB")
    # Else Pillow would paste into memory of its own.
    copied.readonly = 0
    copied.paste(picture, (0, 0))


@cache
def usable() -> bool:
    """Whether this Pillow decodes and copies into foreign memory, four bytes per pixel."""
    decoded, copied = np.zeros((2, 2, 3, 4), np.uint8)
    values = bytes(range(18))
    try:
        picture = picture_over(decoded, "RGB")
        picture.frombytes(values, "raw", "RGB")
        copy_picture(picture, copied)
    except Exception:
        # The functions are Pillow's own, not its interface: another version may lack them.
        return False
    return decoded[:, :, :3].tobytes() == copied[:, :, :3].tobytes() == values
