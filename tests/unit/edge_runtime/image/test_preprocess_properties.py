"""What must hold for every image, tried on many."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from edge_runtime.common.errors import ImageError
from edge_runtime.image import preprocess, resize_and_crop
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
MODES = (
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "LA",
    "PA",
    "La",
    "RGBa",
    "I",
    "F",
    "I;16",
)

sides = st.integers(1, 40)
specs = st.builds(
    InputSpec,
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    channels=st.sampled_from((1, 3)),
    fit=st.sampled_from(("stretch", "crop")),
)
pictures = st.tuples(sides, sides).flatmap(lambda size: arrays(np.uint8, (*size, 3)))


def outcome(source: Any, spec: InputSpec) -> np.ndarray[Any, Any] | str:
    """The pixels, or the message of the one error that there may be."""
    try:
        return pixels(source, spec)
    except ImageError as error:
        return str(error)


def axis_weights(length: int, size: int, start: float, extent: float) -> np.ndarray[Any, Any]:
    """The antialiased triangle filter by its definition, float64 ``[size, length]``."""
    scale = extent / size
    reach = max(1.0, scale)
    centres = start + (np.arange(size) + 0.5) * scale
    distance = np.abs(np.arange(length)[None, :] + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distance)
    return weights / weights.sum(axis=1, keepdims=True)


def by_definition(picture: np.ndarray[Any, Any], spec: InputSpec) -> np.ndarray[Any, Any]:
    """The fit stage in floating point, with nothing of Pillow's in it."""
    height, width = picture.shape[:2]
    if (height, width) == (spec.height, spec.width):
        return picture.astype(np.float64)
    box_width, box_height = float(width), float(height)
    if spec.fit == "crop":
        box_width = min(width, height * spec.width / spec.height)
        box_height = min(height, width * spec.height / spec.width)
    down = axis_weights(height, spec.height, (height - box_height) / 2, box_height)
    across = axis_weights(width, spec.width, (width - box_width) / 2, box_width)
    return np.einsum("hy,yxc,wx->hwc", down, picture.astype(np.float64), across)


@QUICK
@given(st.sampled_from(MODES), sides, sides, specs, st.randoms(use_true_random=False))
def test_any_mode_gives_the_shape_or_an_image_error(
    mode: str, width: int, height: int, spec: InputSpec, random: Any
) -> None:
    picture = Image.new(mode, (width, height))
    if mode not in ("I", "F", "I;16"):
        picture.putpixel(
            (random.randrange(width), random.randrange(height)),
            1 if len(mode) == 1 else (1,) * len(picture.getbands()),
        )
    found = outcome(picture, spec)
    if isinstance(found, str):
        assert mode in ("F", "LAB", "HSV")
        return
    assert (found.shape, found.dtype) == (spec.shape, np.uint8)
    assert found.flags["C_CONTIGUOUS"]


@QUICK
@given(pictures, specs)
def test_fit_is_the_antialiased_bilinear_filter(picture: np.ndarray[Any, Any], spec: InputSpec) -> None:
    rgb = InputSpec(spec.height, spec.width, 3, spec.fit)
    difference = np.abs(pixels(picture, rgb) - by_definition(picture, rgb))
    # Pillow rounds after each of its two passes.
    assert difference.max() <= 1.001


@QUICK
@given(pictures, specs)
def test_flips_commute_with_the_fit(picture: np.ndarray[Any, Any], spec: InputSpec) -> None:
    straight = pixels(picture, spec).astype(int)
    assert np.abs(pixels(picture[:, ::-1], spec)[:, ::-1] - straight).max() <= 1
    assert np.abs(pixels(picture[::-1], spec)[::-1] - straight).max() <= 1


@QUICK
@given(sides, st.integers(1, 24), st.integers(0, 10), st.booleans())
def test_crop_is_the_cut_at_full_size_and_the_stretch_of_a_square(
    side: int, size: int, margin: int, tall: bool
) -> None:
    random = np.random.default_rng(side)
    square = random.integers(0, 256, (side, side, 3), np.uint8)
    stretched, cropped = (pixels(square, InputSpec(size, size, 3, fit)) for fit in ("stretch", "crop"))
    np.testing.assert_array_equal(stretched, cropped)
    edge = random.integers(0, 256, (side, margin, 3), np.uint8)
    wide = np.concatenate([edge, square, edge], axis=1)
    framed, expected = (wide.transpose(1, 0, 2), square.transpose(1, 0, 2)) if tall else (wide, square)
    np.testing.assert_array_equal(pixels(framed, InputSpec(side, side, 3, "crop")), expected)


@QUICK
@given(pictures, st.integers(1, 8), st.sampled_from(("PNG", "WEBP", "TIFF")))
def test_orientation_is_the_rotation(picture: np.ndarray[Any, Any], orientation: int, kind: str) -> None:
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: np.rot90(a, 2),
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }[orientation](picture)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = io.BytesIO()
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(picture).save(stored, kind, exif=exif, **options)
    spec = InputSpec(height=upright.shape[0], width=upright.shape[1])
    np.testing.assert_array_equal(pixels(stored.getvalue(), spec), upright)
    with Image.open(stored) as opened:
        np.testing.assert_array_equal(ImageOps.exif_transpose(opened), upright)


@QUICK
@given(st.sampled_from(("RGB", "RGBA", "CMYK", "P", "L", "I;16")), sides, sides, specs, st.integers(1, 8))
def test_large_pictures_are_bit_equal_to_small_ones(
    mode: str, width: int, height: int, spec: InputSpec, orientation: int
) -> None:
    random = np.random.default_rng(width * 100 + height)
    bands = {"RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    if mode == "I;16":
        picture = Image.fromarray(random.integers(0, 65536, (height, width)).astype(np.uint16))
    else:
        picture = Image.frombytes(mode, (width, height), random.bytes(width * height * bands))
    picture.getexif()[0x0112] = orientation
    expected = pixels(picture, spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preprocess, "LARGE_PIXELS", 0)
        patch.setattr(resize_and_crop, "_COLOUR_STRIP_PIXELS", 100)
        np.testing.assert_array_equal(pixels(picture, spec), expected)


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_are_pixels_or_an_image_error(data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM", b"P6 ", b"RIFF"):
        found = outcome(start + data, InputSpec(8, 8))
        assert "\n" not in found if isinstance(found, str) else found.shape == (8, 8, 3)
