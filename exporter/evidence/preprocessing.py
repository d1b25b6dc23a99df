"""Preprocessing seen from outside: our own decoders, and the stock code of an app."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.common.errors import SnapshipError
from edge_runtime.common.native_output import quiet
from edge_runtime.dataset import ImageSet
from edge_runtime.image import fast_jpeg
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array, pixels, upright_colour
from edge_runtime.image.resize_and_crop import fit, kept_part
from exporter.common.backend import load_tensorflow


@dataclass(frozen=True)
class Preprocessed:
    """The same images with different preprocessing.

    Attributes:
        rows: Rows of the table; images it cannot read are left out.
        pixels: uint8 ``[len(rows), height, width, channels]``.
        note: Description for people.
    """

    rows: tuple[int, ...]
    pixels: UInt8Array
    note: str


def encoded(images: ImageSet, rows: Sequence[int]) -> dict[int, bytes]:
    """The bytes of the files, by row; empty for sets of arrays, which are not decoded."""
    found = {}
    for row in rows:
        content = images.read(images.items[row])
        if isinstance(content, bytes):
            found[row] = content
    return found


def device_paths(files: dict[int, bytes], spec: InputSpec, seconds: float) -> list[Preprocessed]:
    """The pixels of the device runtime, with each decoder it may use.

    Args:
        files: Encoded images by row.
        spec: The model's input.
        seconds: Time limit for each; later images are skipped.
    """
    paths = [_through(files, lambda data: _by_pillow(data, spec), "our decoding with Pillow", seconds)]
    if fast_jpeg.usable():
        note = "our decoding with the fast decoder"
        paths.append(_through(files, lambda data: pixels(data, spec), note, seconds))
    return [path for path in paths if path is not None]


def stock_path(files: dict[int, bytes], spec: InputSpec, seconds: float) -> Preprocessed | None:
    """The pixels of ordinary TensorFlow code.

    ``tf.io.decode_image`` with its default decoder, which uses a faster DCT, then ``tf.image.resize``,
    which is bilinear without antialiasing; a centre crop if the model uses one.

    Args:
        files: Encoded images by row.
        spec: The model's input.
        seconds: Time limit; later images are skipped.

    Returns:
        None if it can read none of the images.
    """
    if not files:
        return None
    tensorflow = load_tensorflow()
    other = "its JPEG decoder" if spec.resize == "plain" else "its JPEG decoder, no antialiasing"
    note = f"stock TensorFlow code ({other})"
    with quiet():
        return _through(files, lambda data: _by_tensorflow(tensorflow, data, spec), note, seconds)


def _through(
    files: dict[int, bytes], convert: Callable[[bytes], UInt8Array], note: str, seconds: float
) -> Preprocessed | None:
    rows: list[int] = []
    arrays: list[UInt8Array] = []
    end = time.perf_counter() + seconds
    for row, data in files.items():
        if rows and time.perf_counter() > end:
            break
        try:
            arrays.append(convert(data))
        except (SnapshipError, OSError, ValueError, SyntaxError):
            continue
        rows.append(row)
    return Preprocessed(tuple(rows), np.stack(arrays), note) if rows else None


def _by_pillow(data: bytes, spec: InputSpec) -> UInt8Array:
    with Image.open(io.BytesIO(data)) as picture:
        upright = upright_colour(picture, spec.channels)
    array: UInt8Array = np.asarray(fit(upright, spec), dtype=np.uint8)
    return array.reshape(spec.shape)


def _by_tensorflow(tensorflow: Any, data: bytes, spec: InputSpec) -> UInt8Array:
    try:
        picture = tensorflow.io.decode_image(data, channels=spec.channels, expand_animations=False)
    except tensorflow.errors.OpError as error:
        raise ValueError("a format that TensorFlow cannot read") from error
    if spec.fit == "crop":
        left, top, right, bottom = kept_part((int(picture.shape[1]), int(picture.shape[0])), spec)
        picture = picture[top:bottom, left:right]
    resized = tensorflow.image.resize(picture, (spec.height, spec.width)).numpy()
    array: UInt8Array = np.clip(np.rint(resized), 0, 255).astype(np.uint8)
    return array
