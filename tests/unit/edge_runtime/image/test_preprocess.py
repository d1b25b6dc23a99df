"""Bytes -> pixels: every edge case of the one definition."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime.common.errors import ImageError, ImageFormatError, ImageTooLargeError
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels

RGB = InputSpec(height=8, width=8)
GRAY = InputSpec(height=8, width=8, channels=1)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(size: int = 8) -> Image.Image:
    ramp = np.arange(size * size * 3, dtype=np.uint32).reshape(size, size, 3) * 255 // (size * size * 3)
    return Image.fromarray(ramp.astype(np.uint8))


def test_rgb_at_its_own_size_is_untouched() -> None:
    picture = gradient()
    np.testing.assert_array_equal(pixels(encoded(picture), RGB), np.asarray(picture))


def test_all_kinds_of_source_give_the_same_pixels(tmp_path: Path) -> None:
    data = encoded(gradient(20))
    path = tmp_path / "bild mit ümlaut.PNG"
    path.write_bytes(data)
    expected = pixels(data, RGB)
    array = np.asarray(gradient(20))
    for source in (path, str(path), bytearray(data), memoryview(data), io.BytesIO(data), gradient(20), array):
        np.testing.assert_array_equal(pixels(source, RGB), expected)


def test_resize_is_what_pillow_bilinear_does() -> None:
    picture = gradient(50)
    expected = np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(pixels(picture, RGB), expected)


def test_crop_cuts_the_centre() -> None:
    wide = Image.new("RGB", (24, 8), (255, 0, 0))
    wide.paste((0, 255, 0), (8, 0, 16, 8))
    out = pixels(wide, InputSpec(height=8, width=8, fit="crop"))
    assert (out == (0, 255, 0)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = gradient()
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(inverse[orientation]) if orientation in inverse else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(pixels(encoded(stored, exif=exif), RGB), np.asarray(upright))


def test_alpha_is_composited_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (pixels(encoded(clear), RGB) == 255).all()
    half = Image.new("LA", (8, 8), (0, 128))
    assert abs(int(pixels(encoded(half), GRAY)[0, 0, 0]) - 127) <= 1


def test_palette_with_transparency_is_white_where_transparent() -> None:
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([200, 0, 0, 0, 200, 0])
    assert (pixels(encoded(picture, transparency=0), RGB) == 255).all()
    assert (pixels(encoded(picture), RGB) == (200, 0, 0)).all()


def test_sixteen_bit_is_scaled_and_not_clipped() -> None:
    values = np.full((8, 8), 107 * 257, dtype=np.uint16)
    assert (pixels(encoded(Image.fromarray(values)), RGB) == 107).all()
    dark = np.full((8, 8), 200, dtype=np.uint16)
    assert (pixels(encoded(Image.fromarray(dark)), GRAY) == 1).all()


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    out = pixels(encoded(red, "JPEG", quality=100), RGB)
    assert out[..., 0].min() > 250
    assert out[..., 1:].max() < 5


def test_sixteen_bit_png_is_scaled_as_the_bundle_page_says() -> None:
    # 0x12ff: its high byte is 0x12, divided by 257 it rounds to 0x13.
    def png(colour: int, samples: int, value: bytes = b"\x12\xff") -> bytes:
        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        pixel = value * samples + (b"\xff\xff" if colour & 4 else b"")
        rows = zlib.compress((b"\0" + pixel * 8) * 8)
        header = struct.pack(">IIBBBBB", 8, 8, 16, colour, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

    assert (pixels(png(0, 1), RGB) == 0x13).all()
    for colour, samples in ((2, 3), (6, 3), (4, 1)):
        assert (pixels(png(colour, samples), RGB) == 0x12).all()


def test_grayscale_model_gets_the_luma() -> None:
    out = pixels(Image.new("RGB", (8, 8), (255, 0, 0)), GRAY)
    assert out.shape == (8, 8, 1)
    assert (out == 76).all()


def test_animated_image_is_its_first_frame() -> None:
    first, second = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    assert (pixels(data, RGB) == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        (b"", ImageError, "0 bytes"),
        (b"I am not a picture", ImageFormatError, "text that starts"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ImageFormatError, "SVG"),
        ("/nowhere/cat.jpg", ImageError, "must exist"),
        (encoded(gradient(64), "JPEG")[:-200], ImageError, "last byte"),
        (np.zeros((8, 8, 3), np.float32), ImageError, "uint8"),
        (np.zeros((2, 8, 8, 3), np.uint8), ImageError, "one image at a time"),
        (12, ImageError, "Received: int"),
    ],
)
def test_bad_input_is_a_one_line_error(source: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        pixels(source, RGB)
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limits_are_read_before_decoding() -> None:
    with pytest.raises(ImageTooLargeError, match=r"50 x 50|50x50"):
        pixels(encoded(gradient(50)), RGB, max_pixels=2499)
    with pytest.raises(ImageTooLargeError, match="bytes"):
        pixels(b"x" * 101, RGB, max_bytes=100)


def test_crop_never_leaves_the_picture() -> None:
    spec = InputSpec(96, 96, 3, "crop")
    for width in range(100, 600):
        assert pixels(Image.new("RGB", (width, 600), "red"), spec)[..., 0].min() == 255
