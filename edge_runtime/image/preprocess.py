"""The one definition of bytes -> pixels, from training to phone.

Stages, in this order::

    bytes  -> limits      size in bytes, format by content, pixels and cost from the header
           -> decode      Pillow, accurate DCT
           -> colour      deep gray scaled to 8 bits, CMYK and palette converted, alpha on white
           -> orient      EXIF orientation applied
           -> fit         bilinear, antialiased or plain, stretch or centre crop
    pixels -> uint8 [height, width, channels], raw 0..255

The trainer, the calibration, the check, the device and the cloud all call
:func:`pixels`. It needs numpy and Pillow and nothing else; the extra ``fast`` decodes
JPEG faster and the compiled part resizes faster, to the same bits.
"""

from __future__ import annotations

import os
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge_runtime.common.errors import ImageError, ImageFormatError, ImageTooLargeError, first_line
from edge_runtime.image import fast_jpeg
from edge_runtime.image.decode_limits import (
    BoundedFile,
    check_cost,
    check_pixels,
    check_structure,
    keep_blocks,
)
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.orientation_and_colour import (
    eight_bit_colour,
    fix_transparency,
    upright_transposition,
)
from edge_runtime.image.plain_jpeg import plain_pixels
from edge_runtime.image.resize_and_crop import LARGE_PIXELS, by_channel, fit, fit_pixels
from edge_runtime.image.tiff import corrected, gray_scale, readable

UInt8Array: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | UInt8Array"
)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Supported formats, by Pillow's names; detected by content, never by file name."""

_JPEG = b"\xff\xd8\xff"

MAX_BYTES = 20_000_000
"""Default limit of an encoded image, in bytes."""

MAX_PIXELS = 50_000_000
"""Default limit of width times height, read from the header before decoding.

Pillow's own limit is 179 million, at which one PNG takes 1.8 GB of memory.
"""

keep_blocks()


def pixels(
    image: ImageSource, spec: InputSpec, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> UInt8Array:
    """Turns any image into the pixels that a model takes.

    Args:
        image: A path, encoded bytes, a binary file, a PIL image, or a uint8 array
            ``[height, width, 3]``, ``[height, width, 1]``, ``[height, width, 4]``
            (alpha) or ``[height, width]``.
        spec: The model's input.
        max_bytes: Limit of the encoded size.
        max_pixels: Limit of width times height before resizing.

    Returns:
        uint8 array ``[spec.height, spec.width, spec.channels]``, 0..255, C-contiguous.

    Raises:
        ImageError: The image is missing, empty, truncated or damaged.
        ImageFormatError: Its content is not one of :data:`FORMATS`.
        ImageTooLargeError: It is over a limit.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.shape == spec.shape:
        return np.ascontiguousarray(image)
    source, name = _source(image, max_bytes)
    short = plain_pixels(source, spec, max_pixels) if isinstance(source, bytes) else None
    if short is not None:
        return short
    picture = _open(source, name, max_pixels)
    with _damage_named(name, source):
        picture.load()
    with _colour_named(name, picture.mode):
        if picture.width * picture.height > LARGE_PIXELS:
            colour = partial(eight_bit_colour, scale=gray_scale(picture))
            picture = by_channel(
                picture, spec.channels, upright_transposition(picture), colour, lambda plane: fit(plane, spec)
            )
        else:
            picture = upright_colour(picture, spec.channels)
    # Outside: running out of memory here is not the image's fault.
    return np.ascontiguousarray(fit_pixels(picture, spec).reshape(spec.shape))


def decoded(image: ImageSource, channels: int) -> Image.Image:
    """Runs the stages up to orient: returns an upright 8-bit image of the original size.

    Args:
        image: Anything that :func:`pixels` takes, within the default limits.
        channels: 3 for RGB, 1 for grayscale.

    Raises:
        ImageError: As :func:`pixels`.
    """
    source, name = _source(image, MAX_BYTES)
    picture = _open(source, name, MAX_PIXELS)
    with _damage_named(name, source):
        picture.load()
    with _colour_named(name, picture.mode):
        return upright_colour(picture, channels)


def upright_colour(picture: Image.Image, channels: int) -> Image.Image:
    """Decodes, converts to 8-bit RGB or grayscale and applies the EXIF orientation.

    Args:
        picture: Any PIL image.
        channels: 3 for mode ``RGB``, 1 for mode ``L``.

    Raises:
        ValueError: The mode has no agreed meaning as RGB.
    """
    picture.load()
    method = upright_transposition(picture)
    picture = eight_bit_colour(picture, channels, gray_scale(picture))
    return picture if method is None else picture.transpose(method)


def _opened(file: BoundedFile, data: bytes) -> Image.Image:
    """Opens an image without decoding it."""
    if data[:3] == _JPEG:
        # As Image.open does, without importing every other format.
        from PIL.JpegImagePlugin import jpeg_factory

        try:
            return jpeg_factory(file)
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            raise UnidentifiedImageError from error
    return Image.open(file, formats=FORMATS)


def _source(image: object, max_bytes: int) -> tuple[Image.Image | UInt8Array | bytes, str]:
    """The image or its bytes, read within the limit, and a name for messages."""
    if isinstance(image, Image.Image):
        return image, "the PIL image"
    if isinstance(image, np.ndarray):
        return image, "the array"
    data, name = _read(image, max_bytes)
    if not data:
        raise ImageError(f"An image must have content. Received: {name}, 0 bytes. Replace the file.")
    if len(data) > max_bytes:
        # The rest was not read.
        raise _too_many_bytes(name, "which has more", max_bytes)
    return data, name


def _open(source: Image.Image | UInt8Array | bytes, name: str, max_pixels: int) -> Image.Image:
    """Opens without decoding, or decodes with the extra ``fast``."""
    if isinstance(source, Image.Image):
        check_pixels(source, name, max_pixels)
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    check_structure(source, name)
    source, true_tags = readable(source)
    file = BoundedFile(source)
    try:
        with _without_warnings():
            picture = _opened(file, source)
            fix_transparency(picture)
            corrected(picture, true_tags)
    except UnidentifiedImageError as error:
        raise _no_image(source, name) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(
            f"An image must have at most {max_pixels:,} pixels. Received: {name}, "
            "far more. Send a smaller one."
        ) from error
    except Exception as error:
        # Pillow's parsers raise all kinds of exceptions on damaged bytes.
        raise ImageError(
            f"An image must have a readable header. Received: {name} ({first_line(error)}). {_cure(source)}"
        ) from error
    check_pixels(picture, name, max_pixels)
    check_cost(picture, source, name, max_pixels)
    file.header_done()
    return fast_jpeg.decode(source, picture) or picture


@contextmanager
def _damage_named(name: str, source: object) -> Iterator[None]:
    """Turns whatever a decoder raises on damaged bytes into one error."""
    try:
        yield
    except Exception as error:
        raise ImageError(
            f"An image must decode to its last byte. Received: {name} ({first_line(error)}). {_cure(source)}"
        ) from error


@contextmanager
def _colour_named(name: str, mode: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, MemoryError) as error:
        raise ImageError(
            f"An image's colours must convert to RGB. Received: {name}, mode {mode} ({first_line(error)}). "
            "Convert it first."
        ) from error


_warnings_lock = threading.Lock()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silences Pillow's warnings about odd metadata.

    The filters are global: two threads that set and restore them in turn could leave them
    silenced for good. Hence a lock, and never around decoding.
    """
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _too_many_bytes(name: str, size: str, max_bytes: int) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"An image must have at most {max_bytes:,} bytes. Received: {name}, {size}. "
        "Send a smaller one or raise max_bytes."
    )


def _read(image: object, max_bytes: int) -> tuple[bytes, str]:
    """Reads at most one byte over the limit."""
    if isinstance(image, bytes | bytearray | memoryview):
        size = memoryview(image).nbytes
        if size > max_bytes:
            raise _too_many_bytes("the bytes", f"{size:,} bytes", max_bytes)
        return bytes(image), "the bytes"
    if isinstance(image, str | os.PathLike):
        name = os.fsdecode(image)
        try:
            return _read_file(image, max_bytes), name
        except FileNotFoundError as error:
            raise ImageError(f"An image must exist. Received: {name}. Check the path.") from error
        except (OSError, ValueError) as error:
            raise ImageError(
                f"An image must be a readable file. Received: {name} ({first_line(error)}). Check the path."
            ) from error
    read = getattr(image, "read", None)
    if read is not None:
        name = str(getattr(image, "name", "the file"))
        try:
            data = read(max_bytes + 1)
        except (OSError, ValueError) as error:
            raise ImageError(
                f"An image must be a readable file. Received: {name} ({first_line(error)}). Open it again."
            ) from error
        if isinstance(data, bytes):
            return data, name
    raise ImageError(
        "An image must be a path, bytes, a binary file, a PIL image or a uint8 array. "
        f"Received: {type(image).__name__}. Open it in binary mode or convert it."
    )


def _read_file(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    with open(path, "rb") as file:
        # Its size rather than the limit: a read allocates as many bytes as requested.
        size = os.fstat(file.fileno()).st_size
        data = file.read(min(size, max_bytes) + 1)
        if size < len(data) <= max_bytes:
            # The file has grown, or is a pipe without a size.
            data += file.read(max_bytes + 1 - len(data))
    return data


def _from_array(array: UInt8Array, max_pixels: int) -> Image.Image:
    shape_ok = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not shape_ok or 0 in array.shape:
        raise ImageError(
            "An array must be uint8 [height, width, 1, 3 or 4 channels] with values 0..255. "
            f"Received: {array.dtype} {list(array.shape)}. Convert it, one image at a time."
        )
    if array.shape[0] * array.shape[1] > max_pixels:
        raise ImageTooLargeError(
            f"An image must have at most {max_pixels:,} pixels. "
            f"Received: an array {list(array.shape)}. Send a smaller one."
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(array))


def _no_image(data: bytes, name: str) -> ImageFormatError:
    # Only rejected images need it.
    from edge_runtime.image.content_kind import content_kind

    kind = content_kind(data)
    return ImageFormatError(
        f"An image must be one of {', '.join(FORMATS)}. Received: {name}, {kind.name}. {kind.cure}"
    )


def _cure(data: object) -> str:
    from edge_runtime.image.content_kind import went_through_text

    if isinstance(data, bytes) and went_through_text(data):
        return "Its bytes were converted to UTF-8 text on the way: send the file's own bytes."
    return "Replace the file, it is truncated or damaged."
