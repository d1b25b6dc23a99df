"""The one definition of bytes -> pixels, from training to phone.

Stages, in this order::

    bytes  -> limits      size in bytes, format by content, pixels from the header
           -> decode      Pillow, accurate DCT
           -> orient      EXIF orientation applied
           -> colour      16-bit scaled to 8, CMYK and palette converted, alpha on white
           -> fit         antialiased bilinear, stretch or centre crop
    pixels -> uint8 [height, width, channels], raw 0..255

The trainer, the calibration, the check, the device and the cloud all call
:func:`pixels`. It imports numpy and Pillow and nothing else; the extra ``fast``
decodes JPEG faster, to the same bits.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edge_runtime import fast_jpeg
from edge_runtime.errors import ImageError, ImageFormatError, ImageTooLargeError
from edge_runtime.spec import InputSpec

UInt8Array: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | UInt8Array"
)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are decoded, as Pillow names them; found by content, never by file name."""

MAX_BYTES = 20_000_000
"""Default limit of an encoded image, in bytes."""

MAX_PIXELS = 50_000_000
"""Default limit of width x height, read from the header before decoding.

Pillow's own limit is 179 million, at which one PNG takes 1.8 GB of memory.
"""


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
        ImageFormatError: Its content is none of :data:`FORMATS`.
        ImageTooLargeError: It is over a limit.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.shape == spec.shape:
        return np.ascontiguousarray(image)
    picture = decoded(image, spec.channels, max_bytes=max_bytes, max_pixels=max_pixels)
    array: UInt8Array = np.asarray(fit(picture, spec), dtype=np.uint8)
    return np.ascontiguousarray(array.reshape(spec.shape))


def decoded(
    image: ImageSource, channels: int, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Does the stages up to colour: an upright 8-bit image of the file's own size.

    Args:
        image: Anything that :func:`pixels` takes.
        channels: 3 for RGB, 1 for grayscale.
        max_bytes: Limit of the encoded size.
        max_pixels: Limit of width times height.

    Raises:
        ImageError: As :func:`pixels`.
    """
    picture, name = _open(image, max_bytes, max_pixels)
    try:
        return upright_colour(picture, channels)
    except (
        OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, MemoryError,
        Image.DecompressionBombError,
    ) as error:  # fmt: skip
        raise ImageError(
            f"An image must decode to its last byte. Received: {name} ({_reason(error)}). "
            "Replace the file, it is truncated or damaged."
        ) from error


def upright_colour(picture: Image.Image, channels: int) -> Image.Image:
    """Decodes, applies EXIF orientation and converts to 8-bit RGB or grayscale.

    Args:
        picture: Any PIL image.
        channels: 3 for mode ``RGB``, 1 for mode ``L``.
    """
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        picture = _eight_bit(picture)
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, coloured)
    if channels == 1:
        # Through RGB, so that a palette or CMYK image has the same luma as its RGB twin.
        return picture if picture.mode == "L" else picture.convert("RGB").convert("L")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def fit(picture: Image.Image, spec: InputSpec) -> Image.Image:
    """Resizes to the input's size with Pillow's antialiased bilinear filter.

    Args:
        picture: An ``RGB`` or ``L`` image.
        spec: Size and fit.
    """
    size = (spec.width, spec.height)
    if picture.size == size:
        return picture
    if spec.fit == "stretch":
        return picture.resize(size, Image.Resampling.BILINEAR)
    # Sides rather than a scale factor: dividing by one leaves the picture by a rounding error.
    box_width = min(picture.width, picture.height * spec.width / spec.height)
    box_height = min(picture.height, picture.width * spec.height / spec.width)
    left, top = (picture.width - box_width) / 2, (picture.height - box_height) / 2
    box = (left, top, left + box_width, top + box_height)
    return picture.resize(size, Image.Resampling.BILINEAR, box=box)


def _open(image: ImageSource, max_bytes: int, max_pixels: int) -> tuple[Image.Image, str]:
    """Opens without decoding; returns the picture and a name for messages."""
    if isinstance(image, Image.Image):
        _check_pixels(image, "the PIL image", max_pixels)
        return image, "the PIL image"
    if isinstance(image, np.ndarray):
        return _from_array(image, max_pixels), "the array"
    data, name = _read(image, max_bytes)
    if not data:
        raise ImageError(f"An image must have content. Received: {name}, 0 bytes. Replace the file.")
    if len(data) > max_bytes:
        raise ImageTooLargeError(
            f"An image must have at most {max_bytes:,} bytes. Received: {name}, "
            f"{len(data):,} bytes. Send a smaller one or raise max_bytes."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageFormatError(
            f"An image must be one of {', '.join(FORMATS)}. Received: {name}, "
            f"{_describe(data)}. Convert it first."
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(
            f"An image must have at most {max_pixels:,} pixels. Received: {name}, "
            "far more. Send a smaller one."
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError) as error:
        raise ImageError(
            f"An image must have a readable header. Received: {name} ({_reason(error)}). Replace the file."
        ) from error
    _check_pixels(picture, name, max_pixels)
    return fast_jpeg.decode(data, picture) or picture, name


def _check_pixels(picture: Image.Image, name: str, max_pixels: int) -> None:
    count = picture.width * picture.height
    if count > max_pixels:
        raise ImageTooLargeError(
            f"An image must have at most {max_pixels:,} pixels. Received: {name}, "
            f"{picture.width}x{picture.height} = {count:,}. Send a smaller one."
        )
    if count == 0:
        raise ImageError(
            f"An image must have pixels. Received: {name}, {picture.width}x{picture.height}. Replace it."
        )


def _read(image: object, max_bytes: int) -> tuple[bytes, str]:
    """Reads at most one byte over the limit."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image), "the bytes"
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        try:
            with path.open("rb") as file:
                return file.read(max_bytes + 1), str(path)
        except FileNotFoundError as error:
            raise ImageError(f"An image must exist. Received: {path}. Check the path.") from error
        except (OSError, ValueError) as error:
            raise ImageError(
                f"An image must be a readable file. Received: {path} ({_reason(error)}). Check the path."
            ) from error
    read = getattr(image, "read", None)
    if read is not None:
        data = read(max_bytes + 1)
        if isinstance(data, bytes):
            return data, str(getattr(image, "name", "the file"))
    raise ImageError(
        "An image must be a path, bytes, a binary file, a PIL image or a uint8 array. "
        f"Received: {type(image).__name__}. Open it in binary mode or convert it."
    )


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


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Scales 16-bit gray to 8 bits; Pillow's own convert() clips it to white."""
    if picture.mode == "F":
        raise ValueError("float pixels have no agreed range")
    # 65535 -> 255: division by 257 is exact there, a shift by 8 would darken.
    scaled = np.clip(np.asarray(picture).astype(np.float64) / 257.0, 0.0, 255.0)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _describe(data: bytes) -> str:
    head = data[:16]
    if head.lstrip()[:1] == b"<":
        return "markup text (SVG, HTML or XML)"
    if all(32 <= byte < 127 or byte in (9, 10, 13) for byte in head):
        return f"text that starts {head.decode('ascii')!r}"
    return f"{len(data):,} bytes that start {head[:8].hex(' ')}"


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
