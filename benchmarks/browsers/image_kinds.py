"""Images of every kind that phones and tools write, drawn by Pillow: what a browser's decoder is held against."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms

SIZE = (151, 97)
"""Odd on both sides, so that subsampled colours have half a sample left."""

LARGE = (4000, 3000)

EXACT = "exact"
CLOSE = "close"
"""Within one level: browsers premultiply alpha, and mix four colours in their own way."""

_CLOSE = ("alpha.webp", "cmyk with black.jpg")


def image_kinds() -> Iterator[tuple[str, bytes, str]]:
    """Gives name, content and how close a browser must come, by kind."""
    for name, content in [*_jpegs(), *_opaque(), *_transparent()]:
        yield name, content, CLOSE if name in _CLOSE else EXACT


def drawn(width: int, height: int) -> Image.Image:
    """Soft colours with hard edges and noise: every frequency of a JPEG block."""
    random = np.random.default_rng(width * height)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [128 + 100 * np.sin(x / (3 + band * 7) + y / (11 - band * 3)) for band in range(3)]
    picture = np.stack(waves, axis=-1)
    picture[(x // 17 + y // 13) % 5 == 0] = (250, 20, 60)
    picture += random.normal(0, 9, picture.shape)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _jpegs() -> Iterator[tuple[str, bytes]]:
    picture = drawn(*SIZE)

    def jpeg(source: Image.Image = picture, **options: Any) -> bytes:
        return _saved(source, "JPEG", **{"quality": 90, **options})

    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield f"{subsampling.replace(':', '')}.jpg", jpeg(subsampling=subsampling)
    yield "progressive.jpg", jpeg(progressive=True, subsampling="4:2:0")
    yield "restart.jpg", jpeg(restart_marker_blocks=3)
    yield "quality 30.jpg", jpeg(quality=30)
    yield "gray.jpg", jpeg(picture.convert("L"))
    yield "rgb coded.jpg", jpeg(keep_rgb=True)
    cmyk = picture.convert("CMYK")
    yield "cmyk.jpg", jpeg(cmyk)
    yield "cmyk with black.jpg", jpeg(Image.merge("CMYK", (*cmyk.split()[:3], picture.convert("L"))))
    yield "sRGB profile.jpg", jpeg(icc_profile=_profile())
    yield "swapping profile.jpg", jpeg(icc_profile=_swapping_profile())
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"exif {orientation}.jpg", jpeg(exif=exif)
    for width, height in ((1, 1), (7, 300), (640, 480)):
        yield f"{width}x{height}.jpg", jpeg(drawn(width, height))
    yield "12 megapixels.jpg", jpeg(drawn(*LARGE), subsampling="4:2:0")


def _opaque() -> Iterator[tuple[str, bytes]]:
    picture = drawn(*SIZE)
    yield "rgb.png", _saved(picture, "PNG")
    yield "gray.png", _saved(picture.convert("L"), "PNG")
    yield "palette.png", _saved(picture.quantize(200), "PNG")
    yield "one bit.png", _saved(picture.convert("1"), "PNG")
    yield "swapping profile.png", _saved(picture, "PNG", icc_profile=_swapping_profile())
    gamma = b"gAMA" + struct.pack(">I", 100_000)
    yield "gamma.png", _with_chunk(_saved(picture, "PNG"), gamma)
    yield "lossy.webp", _saved(picture, "WEBP", quality=80)
    yield "lossless.webp", _saved(picture, "WEBP", lossless=True)
    yield "swapping profile.webp", _saved(picture, "WEBP", quality=80, icc_profile=_swapping_profile())
    yield "palette.gif", _saved(picture.quantize(64), "GIF")
    yield "rgb.bmp", _saved(picture, "BMP")
    yield "palette.bmp", _saved(picture.quantize(64), "BMP")
    high = np.asarray(picture).astype(">u2") * 257 + 31
    yield "16 bit rgb.png", _png16(high, colour=2)
    yield "16 bit gray.png", _png16(high[..., :1], colour=0)


def _transparent() -> Iterator[tuple[str, bytes]]:
    picture = drawn(*SIZE)
    width, height = SIZE
    alpha = Image.fromarray(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1)))
    clear = picture.copy()
    clear.putalpha(alpha)
    yield "alpha.png", _saved(clear, "PNG")
    yield "gray alpha.png", _saved(clear.convert("LA"), "PNG")
    yield "alpha.webp", _saved(clear, "WEBP", lossless=True)


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _swapping_profile() -> bytes:
    """A profile that shows red as green: whoever applies it is far off."""
    return _profile().replace(b"rXYZ", b"####", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"####", b"gXYZ", 1)


def _with_chunk(png: bytes, chunk: bytes) -> bytes:
    """Puts a chunk behind the header, which is 33 bytes with the signature."""
    body = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:33] + body + png[33:]


def _png16(values: np.ndarray, colour: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write in colour."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = (
        b"IHDR" + struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0),
        b"IDAT" + zlib.compress(rows),
        b"IEND",
    )
    body = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
