"""TIFFs of more than 8 bits per sample: every way to store one ramp shows that ramp.

OpenCV 5.0 and libvips 8.18 read the 16-bit ones to the same levels; of 32 bits OpenCV makes nothing.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime.common.errors import ImageFormatError
from edge_runtime.image import preprocess
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import decoded, pixels
from edge_runtime.image.tiff import readable

WIDTH, HEIGHT = 64, 8
SPEC = InputSpec(HEIGHT, WIDTH, 3)
RAMP = np.tile(np.linspace(0, 1, WIDTH), (HEIGHT, 1))
WHITE, BLACK = 0, 1
Array = np.ndarray[Any, Any]


def tiff(tags: dict[int, tuple[int, ...]], strips: list[bytes], order: str = "<") -> bytes:
    """A TIFF by hand, of 16-bit tags and strips of the whole height each."""
    listed = {
        256: (WIDTH,), 257: (HEIGHT,), 259: (1,), 277: (1,), 278: (HEIGHT,), 273: (0,) * len(strips),
        279: tuple(map(len, strips)), **tags,
    }  # fmt: skip
    start = 10 + 12 * len(listed) + 4
    extra, entries = b"", b""
    for tag in sorted(listed):
        code = "I" if tag in (273, 279) else "H"
        at = start + sum(4 * len(v) for v in listed.values() if len(v) > 1)
        values = (
            tuple(at + sum(map(len, strips[:n])) for n in range(len(strips))) if tag == 273 else listed[tag]
        )
        stored = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(stored) > 4:
            stored, extra = (
                struct.pack(order + "I", start + len(extra)),
                extra + stored.ljust(4 * len(values), b"\0"),
            )
        entries += struct.pack(order + "HHI", tag, 4 if code == "I" else 3, len(values)) + stored.ljust(
            4, b"\0"
        )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(listed))
    extra = extra.ljust(sum(4 * len(v) for v in listed.values() if len(v) > 1), b"\0")
    return head + entries + bytes(4) + extra + b"".join(strips)


def gray(bits: int, order: str, photometric: int, packed: bool = False, tags: Any = None) -> bytes:
    """The ramp as gray of so many bits."""
    shown = 1 - RAMP if photometric == WHITE else RAMP
    values = (shown * (2**bits - 1)).round()
    if bits == 12:
        digits = "".join(f"{int(value):012b}" for value in values.ravel())
        strip = int(digits, 2).to_bytes(len(digits) // 8, "big")
    else:
        strip = values.astype(f"{order}u{bits // 8}").tobytes()
    strip = zlib.compress(strip) if packed else strip
    listed = {258: (bits,), 259: (8 if packed else 1,), 262: (photometric,), **(tags or {})}
    return tiff(listed, [strip], order)


def shows_the_ramp(found: Array) -> bool:
    return bool(np.abs(found - 255 * RAMP[:, :, None]).max() <= 0.51)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("photometric", [WHITE, BLACK], ids=["white", "black"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_gray_of_any_depth_order_and_sense(bits: int, order: str, photometric: int, packed: bool) -> None:
    data = gray(bits, order, photometric, packed)
    assert shows_the_ramp(pixels(data, SPEC))
    assert shows_the_ramp(pixels(data, InputSpec(HEIGHT, WIDTH, 1)))


@pytest.mark.parametrize("photometric", [WHITE, BLACK], ids=["white", "black"])
def test_twelve_bits_are_scaled_by_their_own_highest_number(photometric: int) -> None:
    assert shows_the_ramp(pixels(gray(12, "<", photometric), SPEC))


def test_large_picture_is_read_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocess, "LARGE_PIXELS", 0)
    assert shows_the_ramp(pixels(gray(16, ">", WHITE), SPEC))
    assert shows_the_ramp(pixels(gray(32, "<", BLACK), SPEC))


def test_picture_that_the_caller_opened_is_read_alike() -> None:
    for data in (gray(16, "<", WHITE), gray(32, "<", BLACK), gray(12, "<", BLACK)):
        assert shows_the_ramp(pixels(Image.open(io.BytesIO(data)), SPEC))


def test_decoded_image_of_its_own_size_is_read_alike() -> None:
    assert shows_the_ramp(np.asarray(decoded(gray(16, ">", WHITE), 3)))


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "deflate"])
def test_signed_sixteen_bits_keep_their_byte_order(order: str, packed: bool) -> None:
    # 0..32767: half of the range, as OpenCV and libvips take it.
    strip = (RAMP * 32767).round().astype(f"{order}i2").tobytes()
    tags = {258: (16,), 259: (8 if packed else 1,), 262: (BLACK,), 339: (2,)}
    found = pixels(tiff(tags, [zlib.compress(strip) if packed else strip], order), SPEC)
    assert np.abs(found - 127.5 * RAMP[:, :, None]).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("alpha", [False, True], ids=["rgb", "rgba"])
def test_sixteen_bit_planes_stored_apart(order: str, alpha: bool) -> None:
    planes = [RAMP, 1 - RAMP, RAMP / 2, *([np.ones_like(RAMP)] if alpha else [])]
    count = len(planes)
    strips = [(plane * 65535).astype(f"{order}u2").tobytes() for plane in planes]
    tags = {258: (16,) * count, 262: (2,), 277: (count,), 284: (2,), **({338: (2,)} if alpha else {})}
    found = pixels(tiff(tags, strips, order), SPEC)
    assert np.abs(found - 255 * np.stack(planes[:3], axis=2)).max() <= 1


def test_numbers_of_sixteen_bits_in_a_signed_file_of_32_are_taken_as_before() -> None:
    # What Pillow writes of its mode I: the range of a 16-bit PNG.
    buffer = io.BytesIO()
    Image.fromarray((RAMP * 65535).round().astype(np.int32)).save(buffer, "TIFF")
    assert shows_the_ramp(pixels(buffer.getvalue(), SPEC))


def test_other_files_are_opened_as_they_are() -> None:
    png = io.BytesIO()
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(png, "PNG")
    for data in (b"", b"II*\0", png.getvalue(), gray(8, "<", WHITE), gray(16, ">", BLACK)):
        assert readable(data) == (data, {})


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({258: (16, 16), 277: (2,), 338: (2,)}, r"a TIFF of 2 samples of 16 bits per pixel \(black is 0\)"),
        ({258: (64,), 339: (3,)}, "a TIFF of 1 float sample of 64 bits per pixel"),
        ({258: (16,), 262: (32803,)}, "a raw photo"),
    ],
)
def test_kind_of_pixel_that_is_not_read_is_named(tags: dict[int, tuple[int, ...]], words: str) -> None:
    with pytest.raises(ImageFormatError, match=words):
        pixels(tiff({262: (BLACK,), **tags}, [bytes(16 * WIDTH * HEIGHT)]), SPEC)
