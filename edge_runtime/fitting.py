"""The resize and crop stage: a picture of any size to the input size of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_runtime import resize
from edge_runtime.fast_jpeg import UInt8
from edge_runtime.spec import InputSpec

if TYPE_CHECKING:
    from edge_runtime.plain_resize import Part

# The plain resize is imported at use: most programs never need it, and start faster.


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
            from edge_runtime import plain_resize

            return plain_resize.by_picture(picture, size, kept_part(picture.size, spec))
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
        from edge_runtime import plain_resize

        return plain_resize.by_rows(rows, to, kept_part(size, spec))
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
