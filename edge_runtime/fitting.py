"""The last stage of preprocessing: a picture of any size to the size that a model takes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from edge_runtime import resize
from edge_runtime.fast_jpeg import UInt8
from edge_runtime.spec import InputSpec


def fit(picture: Image.Image, spec: InputSpec) -> Image.Image:
    """Resizes to the input's size with Pillow's antialiased bilinear filter.

    Args:
        picture: An ``RGB`` or ``L`` image.
        spec: Size and fit.
    """
    size = (spec.width, spec.height)
    return picture if picture.size == size else resize.by_pillow(picture, size, box(picture.size, spec))


def fit_pixels(picture: Image.Image, spec: InputSpec) -> UInt8:
    """The pixels of :func:`fit`, by the compiled resize where there is one.

    Args:
        picture: An ``RGB`` or ``L`` image.
        spec: Size and fit.

    Returns:
        uint8 ``[spec.height, spec.width, 3]``, or without the last axis for ``L``.
    """
    size = (spec.width, spec.height)
    if picture.size != size:
        part = box(picture.size, spec)
        found = resize.compiled(picture, size, part)
        if found is not None:
            return found
        picture = resize.by_pillow(picture, size, part)
    return np.asarray(picture, dtype=np.uint8)


def box(size: resize.Size, spec: InputSpec) -> resize.Box:
    """Left, top, right and bottom of what is kept of a picture, in its pixels.

    Args:
        size: Its width and height.
        spec: Size and fit.
    """
    if spec.fit == "stretch":
        return 0, 0, *size
    # Sides rather than a scale factor: dividing by one leaves the picture by a rounding error.
    width = min(size[0], size[1] * spec.width / spec.height)
    height = min(size[1], size[0] * spec.height / spec.width)
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height
