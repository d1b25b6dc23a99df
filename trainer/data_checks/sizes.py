"""Sizes of image files, read from their headers."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median

from PIL import Image

from edge_runtime.common.cores import cores
from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, Item
from edge_runtime.image.preprocess import FORMATS, UInt8Array

ENLARGED = 2.0
"""An image whose short side must be enlarged by more than this factor is small."""

LONG = 3.0
"""An image with a larger aspect ratio is a strip."""

Size = tuple[int, int]
"""Width and height in pixels from the header, before EXIF orientation."""


@dataclass(frozen=True)
class OddSize:
    """An image of an unusual size.

    Attributes:
        ref: Its name in the data set.
        width: In pixels.
        height: In pixels.
        why: ``small`` or ``strip``.
    """

    ref: str
    width: int
    height: int
    why: str


@dataclass(frozen=True)
class Sizes:
    """The sizes of the image files in a data set.

    Attributes:
        looked_at: Number of images whose size is known; 0 for array data.
        smallest: Width and height of the image with the fewest pixels; None without any.
        median: Median width and median height.
        largest: Width and height of the image with the most pixels.
        odd: Images that are small or strips.
    """

    looked_at: int
    smallest: Size | None
    median: Size | None
    largest: Size | None
    odd: tuple[OddSize, ...]


def recording_sizes(images: ImageSet) -> tuple[ImageSet, dict[str, Size]]:
    """Returns the same data set, and a dict that receives each image's size when it is read.

    Args:
        images: The set.
    """
    found: dict[str, Size] = {}
    reader: Callable[[Item], bytes | UInt8Array] = images.reader

    def read(item: Item) -> bytes | UInt8Array:
        content = reader(item)
        if isinstance(content, bytes) and (size := _header(content)) is not None:
            found[item.ref] = size
        return content

    return (images if images.native_size is not None else replace(images, reader=read)), found


def header_sizes(images: ImageSet, most: int | None = None) -> dict[str, Size]:
    """Reads the sizes of images from their headers, on several threads; unreadable ones are left out.

    Args:
        images: The set.
        most: Maximum number of images, evenly spaced; None for all.
    """
    if images.native_size is not None:
        return {}
    items = images.items[:: max(1, -(-len(images) // most))] if most else images.items
    reading, found = recording_sizes(images)

    def look(item: Item) -> None:
        try:
            reading.read(item)
        except DataError:
            # The file was removed since it was decoded.
            return

    with ThreadPoolExecutor(max(4, cores())) as pool:
        list(pool.map(look, items))
    return found


def summarize_sizes(found: dict[str, Size], size: int) -> Sizes:
    """Summarizes sizes, and finds odd ones.

    Args:
        found: Width and height by ref.
        size: Side of the model's input in pixels.
    """
    if not found:
        return Sizes(0, None, None, None, ())
    odd = []
    for ref, (width, height) in found.items():
        short, long = min(width, height), max(width, height)
        if short * ENLARGED < size:
            odd.append(OddSize(ref, width, height, "small"))
        elif long > LONG * short:
            odd.append(OddSize(ref, width, height, "strip"))
    by_pixels = sorted(found.values(), key=lambda entry: (entry[0] * entry[1], entry))
    middle = tuple(int(median(entry[axis] for entry in by_pixels)) for axis in (0, 1))
    return Sizes(
        len(found), by_pixels[0], (middle[0], middle[1]), by_pixels[-1],
        tuple(sorted(odd, key=lambda entry: entry.ref)),
    )  # fmt: skip


def _header(content: bytes) -> Size | None:
    """Width and height; None if Pillow cannot read the header, which decoding will report."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(content), formats=FORMATS).size
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        struct.error,
        OverflowError,
        Image.DecompressionBombError,
    ):
        return None
