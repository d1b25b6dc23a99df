"""The set of bad images: made by code, so that any test of any house can send them.

``GOOD`` are odd and right: each comes with the picture that it shows. ``BAD`` are to be
refused with an ImageError. ``EITHER`` may be decoded or refused. Each value is a function,
because some take memory to make; :func:`write_all` puts them into a folder.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Maker = Callable[[], bytes]


def scene(width: int = 48, height: int = 32) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A smooth picture without any symmetry, uint8 ``[height, width, 3]``."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = (
        columns * 255 // max(1, width - 1),
        rows * 255 // max(1, height - 1),
        (rows + columns) * 2 % 200,
    )
    return np.stack(planes, axis=2).astype(np.uint8)


def save(picture: Image.Image | np.ndarray[Any, Any], kind: str, **options: Any) -> bytes:
    """Encodes a picture."""
    opened = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    opened.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG by hand; rows carry their filter byte, chunks in ``before`` come after IHDR."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    # Run lengths alone: fast, and as small as bombs need.
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    data = packer.compress(rows) + packer.flush()
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *before, chunk(b"IDAT", data)]
    return b"".join(parts) + chunk(b"IEND", b"")


def segment(marker: int, data: bytes) -> bytes:
    """One JPEG segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def tiff(entries: dict[int, tuple[int, int, bytes | int]], tail: bytes = b"", repeat: int = 1) -> bytes:
    """A little-endian TIFF: ``tag: (type, count, value or offset)``, then any bytes."""
    listed = sorted(entries.items()) * repeat
    out = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(listed))
    for tag, (kind, count, value) in listed:
        stored = value if isinstance(value, bytes) else struct.pack("<I", value)
        out += struct.pack("<HHI", tag, kind, count) + stored.ljust(4, b"\0")
    return out + b"\0\0\0\0" + tail


def sixteen_bit(colour: int, samples: int) -> bytes:
    """The scene as a 16-bit PNG of RGB, RGBA (opaque) or gray (its red channel)."""
    pixels = scene().astype(np.uint16) * 257
    if samples == 1:
        pixels = pixels[:, :, :1]
    if samples == 4:
        pixels = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 65535, np.uint16)], axis=2)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(48, 32, 16, colour, rows)


def gray_scene() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The scene's red channel three times."""
    return np.repeat(scene()[:, :, :1], 3, axis=2)


def cmyk_jpeg(*, adobe: int | None) -> bytes:
    """Dark orange as a CMYK JPEG: Adobe's marker says inverted (0), YCCK (2), or is not there."""
    # Pillow inverts what it writes and says so in the marker, as Adobe does.
    inks = np.full((32, 48, 4), (25, 102, 204, 51), np.uint8)
    if adobe == 2:
        # YCCK: the first three inks, taken as RGB, are stored as YCbCr.
        inks[:, :, :3] = 255 - np.asarray(Image.fromarray(inks[:, :, :3]).convert("YCbCr"))
    data = save(_cmyk(inks), "JPEG", quality=100, subsampling=0)
    at = data.index(b"Adobe") - 4
    if adobe is None:
        return data[:at] + data[at + 16 :]
    return data[: at + 15] + bytes((adobe,)) + data[at + 16 :]


def _cmyk(inks: np.ndarray[Any, np.dtype[np.uint8]]) -> Image.Image:
    return Image.frombytes("CMYK", (inks.shape[1], inks.shape[0]), inks.tobytes())


def flat(*colour: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One colour."""
    return np.full((32, 48, 3), colour, np.uint8)


def turned(orientation: int, kind: str = "PNG") -> bytes:
    """The scene, stored as a camera held that way stores it."""
    upright = scene()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    return save(np.ascontiguousarray(stored), kind, exif=exif, **options)


def on_white(alpha: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The scene seen through an alpha channel ``[height, width, 1]``, on white."""
    share = alpha.astype(np.float64) / 255
    return np.rint(scene() * share + 255 * (1 - share)).astype(np.uint8)


def ramp_alpha() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Opaque at the left, clear at the right, ``[height, width, 1]``."""
    return np.tile(np.linspace(255, 0, 48).astype(np.uint8)[None, :, None], (32, 1, 1))


def animated(kind: str) -> bytes:
    """The scene, then a black frame."""
    first, second = Image.fromarray(gray_scene()), Image.new("RGB", (48, 32))
    if kind == "GIF":
        # A gray ramp has at most 256 colours: the palette loses nothing.
        first, second = first.convert("L"), second.convert("L")
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    return save(first, kind, save_all=True, append_images=[second], duration=100, **options)


def gray_transparent(depth: int) -> bytes:
    """Gray PNG whose left half has the colour that tRNS calls transparent."""
    clear, other = 1, 2 if depth > 1 else 0
    if depth == 16:
        clear, other = 300, 301 * 100
    row = [clear] * 24 + [other] * 24
    if depth == 16:
        packed = np.array(row, ">u2").tobytes()
    else:
        bits = "".join(f"{value:0{depth}b}" for value in row)
        packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return png(48, 32, depth, 0, (b"\0" + packed) * 32, chunk(b"tRNS", struct.pack(">H", clear)))


def gray_transparent_seen(depth: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What it shows."""
    other = {1: 0, 2: 170, 4: 34, 8: 2, 16: round(30100 / 257)}[depth]
    seen = flat(255, 255, 255)
    seen[:, 24:] = other
    return seen


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive gray JPEG that refines nothing, again and again."""
    small = save(Image.new("L", (width, height)), "JPEG", progressive=True)
    last = small.rindex(b"\xff\xda")
    return small[:-2] + small[last:-2] * scans + b"\xff\xd9"


def tag_bomb() -> bytes:
    """3,000 tags that all hold the same five megabytes."""
    base = save(scene(), "TIFF")
    entries: dict[int, tuple[int, int, bytes | int]] = {
        256: (4, 1, 48), 257: (4, 1, 32), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 40000),
        278: (4, 1, 32), 279: (4, 1, 48 * 32),
    }  # fmt: skip
    for tag in range(40000, 43000):
        entries[tag] = (7, 5_000_000, 40000)
    return tiff(entries, base + b"\0" * 5_100_000)


def strip_bomb() -> bytes:
    """An uncompressed TIFF with millions of strips."""
    count = 4_000_000
    return tiff(
        {256: (4, 1, 48), 257: (4, 1, 32), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
         273: (4, count, 200), 278: (4, 1, 1), 279: (4, count, 200)},
        struct.pack("<I", 200) * (count + 100),
    )  # fmt: skip


def tile_bomb() -> bytes:
    """A TIFF of 10x10 pixels in one tile of 20,000 x 20,000."""
    tile = zlib.compress(b"\0" * 400_000_000, 1)
    return tiff(
        {256: (4, 1, 10), 257: (4, 1, 10), 258: (3, 1, 8), 259: (3, 1, 8), 262: (3, 1, 1), 277: (3, 1, 1),
         322: (4, 1, 20000), 323: (4, 1, 20000), 324: (4, 1, 146), 325: (4, 1, len(tile))},
        tile,
    )  # fmt: skip


def exif_tag_bomb() -> bytes:
    """A PNG whose EXIF has 2,000 tags that all hold the same four megabytes."""
    entries: dict[int, tuple[int, int, bytes | int]] = dict.fromkeys(range(40000, 42000), (7, 4000000, 30000))
    entries[0x0112] = (3, 1, 1)
    return png(48, 32, 8, 2, _rows(scene()), chunk(b"eXIf", tiff(entries, b"\0" * 4_100_000)))


def _rows(array: np.ndarray[Any, Any]) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in array)


def gif_comments(total: int) -> bytes:
    """A GIF with that many bytes of comments before its picture."""
    data = save(Image.fromarray(scene()[:, :, 0]), "GIF")
    at = data.index(b"\x2c\0\0\0\0", 13)
    comment = b"\x21\xfe" + (b"\xff" + b"c" * 255) * (total // 256) + b"\0"
    return data[:at] + comment + data[at:]


def truncated_exif(orientation: int = 6) -> bytes:
    """A picture whose EXIF ends in the middle of its directory."""
    block = b"Exif\0\0" + tiff({0x0112: (3, 1, orientation), 0x0132: (2, 20, 500)})[:20]
    return save(scene(), "PNG", exif=block)


def jpeg_with(*segments: bytes, picture: bytes | None = None) -> bytes:
    """A JPEG with segments after its start."""
    data = picture or save(gray_scene(), "JPEG", quality=95)
    return data[:2] + b"".join(segments) + data[2:]


def side_by_one(width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One row or column of a ramp."""
    ramp = (np.arange(width * height) * 255 // max(1, width * height - 1)).astype(np.uint8)
    return np.repeat(ramp.reshape(height, width, 1), 3, axis=2)


def jpeg_seen() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What the JPEG of :func:`jpeg_with` decodes to, with nothing added."""
    return np.asarray(Image.open(io.BytesIO(save(gray_scene(), "JPEG", quality=95))))


GOOD: dict[str, tuple[Maker, Callable[[], np.ndarray[Any, Any]]]] = {
    "png-16-rgb": (lambda: sixteen_bit(2, 3), scene),
    "png-16-rgba": (lambda: sixteen_bit(6, 4), scene),
    "png-16-gray": (lambda: sixteen_bit(0, 1), gray_scene),
    "png-rgba": (lambda: save(np.concatenate([scene(), ramp_alpha()], 2), "PNG"), lambda: on_white(ramp_alpha())),
    "webp-lossless": (lambda: save(scene(), "WEBP", lossless=True), scene),
    "webp-rgba": (
        lambda: save(np.concatenate([scene(), ramp_alpha()], 2), "WEBP", lossless=True, exact=True),
        lambda: on_white(ramp_alpha()),
    ),
    "png-palette": (lambda: save(Image.fromarray(gray_scene()[:, :, 0]).convert("P"), "PNG"), gray_scene),
    "png-palette-clear": (
        lambda: save(Image.new("P", (48, 32)), "PNG", transparency=0), lambda: flat(255, 255, 255)
    ),
    "jpeg-cmyk-adobe": (lambda: cmyk_jpeg(adobe=0), lambda: flat(184, 122, 41)),
    "jpeg-ycck": (lambda: cmyk_jpeg(adobe=2), lambda: flat(184, 122, 41)),
    "gif-animated": (lambda: animated("GIF"), gray_scene),
    "webp-animated": (lambda: animated("WEBP"), gray_scene),
    "apng": (lambda: animated("PNG"), gray_scene),
    "one-pixel": (lambda: save(np.full((1, 1, 3), 77, np.uint8), "PNG"), lambda: flat(77, 77, 77)),
    "png-65500x1": (lambda: save(side_by_one(65500, 1), "PNG"), lambda: side_by_one(65500, 1)),
    "png-1x65500": (lambda: save(side_by_one(1, 65500), "PNG"), lambda: side_by_one(1, 65500)),
    "jpeg-with-zip": (lambda: jpeg_with() + b"PK\x03\x04 and a zip", jpeg_seen),
    "jpeg-motion-photo": (lambda: jpeg_with() + b"\xff\xda\x00\x08" * 500, jpeg_seen),
    "jpeg-huge-icc": (
        lambda: jpeg_with(*[segment(0xE2, b"ICC_PROFILE\0" + bytes((n, 200)) + b"p" * 65000) for n in range(1, 200)]),
        jpeg_seen,
    ),
    "jpeg-huge-exif": (lambda: jpeg_with(segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + b"\xff" * 65000)), jpeg_seen),
    "jpeg-progressive": (
        lambda: save(gray_scene(), "JPEG", quality=95, progressive=True),
        lambda: np.asarray(Image.open(io.BytesIO(save(gray_scene(), "JPEG", quality=95, progressive=True)))),
    ),
    "png-truncated-exif": (truncated_exif, scene),
    "png-exif-bomb": (exif_tag_bomb, scene),
    "tiff-pages": (
        lambda: save(scene(), "TIFF", save_all=True, append_images=[Image.new("RGB", (48, 32))]), scene
    ),
    "bmp-top-down": (
        lambda: (lambda d: d[:22] + struct.pack("<i", -32) + d[26:])(save(scene()[::-1].copy(), "BMP")), scene
    ),
    "jpeg-named-png-is-content": (lambda: jpeg_with(), jpeg_seen),
    **{f"exif-{n}": ((lambda n=n: turned(n)), scene) for n in range(1, 9)},
    **{f"exif-{n}-webp": ((lambda n=n: turned(n, "WEBP")), scene) for n in (6, 8)},
    **{f"exif-{n}-tiff": ((lambda n=n: turned(n, "TIFF")), scene) for n in (3, 6)},
    **{
        f"png-gray{n}-clear": ((lambda n=n: gray_transparent(n)), (lambda n=n: gray_transparent_seen(n)))
        for n in (1, 2, 4, 8, 16)
    },
}  # fmt: skip
"""Odd, and right: the bytes, and the RGB picture that they show."""

BAD: dict[str, Maker] = {
    "empty": lambda: b"",
    "one-byte": lambda: b"\xff",
    "text": lambda: b"I am not a picture, but a long text.\n" * 99,
    "svg": lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "html": lambda: b"<!doctype html><title>404</title>",
    "pdf": lambda: b"%PDF-1.7\n1 0 obj\n",
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    "zip": lambda: b"PK\x03\x04" + bytes(100),
    "ico": lambda: save(scene(32, 32), "ICO"),
    "icns": lambda: save(scene(32, 32), "ICNS"),
    "jpeg2000": lambda: save(scene(), "JPEG2000"),
    "avif-header": lambda: b"\0\0\0\x1cftypavif" + bytes(60),
    "png-50k": lambda: png(50_000, 50_000, 1, 0, (b"\0" + bytes(6250)) * 50_000),
    "png-13k": lambda: png(13_000, 13_000, 8, 2, (b"\0" + bytes(39_000)) * 13_000),
    "jpeg-65k": lambda: _resized_jpeg(65_500, 65_500),
    "bmp-huge-height": lambda: (lambda d: d[:22] + struct.pack("<i", 2**31 - 1) + d[26:])(
        save(scene(), "BMP")
    ),
    "bmp-huge-negative": lambda: (lambda d: d[:22] + struct.pack("<i", -(2**31)) + d[26:])(
        save(scene(), "BMP")
    ),
    "bmp-zero": lambda: (lambda d: d[:22] + struct.pack("<i", 0) + d[26:])(save(scene(), "BMP")),
    "gif-zero": lambda: b"GIF89a\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x02\x02\x44\x01\0;",
    "png-long-side": lambda: png(49_000_000, 1, 1, 0, b"\0" + bytes(6_125_000)),
    "webp-huge": lambda: save(Image.new("RGB", (16000, 3000)), "WEBP", lossless=True, quality=0, method=0),
    "jpeg-many-scans": lambda: many_scans(4000, 4000, 3000),
    "jpeg-progressive-50mp": lambda: save(
        Image.new("RGB", (7000, 7000)), "JPEG", progressive=True, subsampling=0
    ),
    "jpeg-padding": lambda: jpeg_with(b"\xff" * 15_000_000),
    "jpeg-many-segments": lambda: jpeg_with(segment(0xE5, b"") * 3_000_000),
    "png-many-chunks": lambda: png(48, 32, 8, 2, _rows(scene()), chunk(b"tEXt", b"a\0b") * 900_000),
    "png-text-bomb": lambda: png(
        48, 32, 8, 2, _rows(scene()), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(300_000_000), 9))
    ),
    "png-tiny-data": lambda: b"".join(
        [png(48, 32, 8, 2, b"")[:33], chunk(b"IDAT", b"") * 1_600_000, chunk(b"IEND", b"")]
    ),
    "gif-comments": lambda: gif_comments(18_000_000),
    "tiff-tags": tag_bomb,
    "tiff-strips": strip_bomb,
    "tiff-tile": tile_bomb,
    "ppm-slow": lambda: b"P6 2500 2500 100\n" + bytes(18_750_000),
    "ppm-plain-slow": lambda: b"P3 2000 2000 255\n" + b"0 " * 9_900_000,
    "ppm-digits": lambda: b"P6 " + b"9" * 5_000_000,
    "jpeg-truncated": lambda: save(scene(300, 200), "JPEG")[:-300],
    "png-truncated": lambda: save(scene(300, 200), "PNG")[:-300],
    "webp-truncated": lambda: save(scene(300, 200), "WEBP", lossless=True)[:-80],
    "gif-js": lambda: b"GIF89a=1;alert(1);/*" + bytes(40),
}
"""To be refused with an ImageError."""


def _resized_jpeg(width: int, height: int) -> bytes:
    data = bytearray(save(scene(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


EITHER: dict[str, Maker] = {
    "jpeg-cmyk-plain": lambda: cmyk_jpeg(adobe=None),
    "png-at-limit-rgba": lambda: png(7070, 7070, 8, 6, (b"\0" + bytes(4 * 7070)) * 7070),
    "png-at-limit-16-rgba": lambda: png(7070, 7070, 16, 6, (b"\0" + bytes(8 * 7070)) * 7070),
    "png-at-limit-turned": lambda: png(
        7070, 7070, 8, 2, (b"\0" + bytes(3 * 7070)) * 7070, chunk(b"eXIf", tiff({0x0112: (3, 1, 6)}))
    ),
    "jpeg-fewer-scans": lambda: many_scans(4000, 4000, 20),
    "tiff-at-limit": lambda: save(Image.new("RGB", (6500, 6500)), "TIFF", compression="tiff_deflate"),
    "webp-lossless-12mp": lambda: save(Image.new("RGBA", (3500, 3500)), "WEBP", lossless=True, quality=0),
    "webp-lossy-16mp": lambda: save(Image.new("RGB", (4050, 4050)), "WEBP"),
    "webp-animated-12mp": lambda: save(
        Image.new("RGB", (3500, 3500)), "WEBP", save_all=True, lossless=True, quality=0,
        append_images=[Image.new("RGB", (3500, 3500), (9, 9, 9))],
    ),
    "gif-at-limit": lambda: save(Image.new("P", (7070, 7070)), "GIF"),
    "ppm-float": lambda: b"Pf\n48 32\n-1.0\n" + bytes(4 * 48 * 32),
    "tiff-float": lambda: save(Image.new("F", (48, 32)), "TIFF"),
}  # fmt: skip
"""Large or without one right answer: decoded or refused, within the limits of time and memory."""


def flipped(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Small files of every format with bits flipped, ends cut and blocks zeroed."""
    random = np.random.default_rng(seed)
    kinds: dict[str, dict[str, Any]] = {
        "JPEG": {}, "PNG": {}, "WEBP": {}, "BMP": {}, "GIF": {}, "TIFF": {"compression": "tiff_lzw"}, "PPM": {},
    }  # fmt: skip
    files = [(kind, save(scene(), kind, **options)) for kind, options in kinds.items()]
    files += [("JPEG", save(scene(), "JPEG", progressive=True)), ("PNG", turned(6)), ("GIF", animated("GIF"))]
    for index in range(count):
        kind, data = files[index % len(files)]
        damaged = bytearray(data)
        at = int(random.integers(0, len(damaged)))
        way = ("flip", "cut", "zero", "header")[int(random.integers(0, 4))]
        if way == "flip":
            damaged[at] ^= 1 << int(random.integers(0, 8))
        elif way == "cut":
            del damaged[at:]
        elif way == "zero":
            damaged[at : at + 16] = bytes(len(damaged[at : at + 16]))
        else:
            for place in random.integers(0, min(64, len(damaged)), 4):
                damaged[place] = int(random.integers(0, 256))
        yield f"{kind.lower()}-{way}-{index}", bytes(damaged)


def write_all(folder: Path, only: str = "") -> dict[str, Path]:
    """Writes the named set; returns the paths by name.

    Args:
        folder: An existing folder.
        only: Part of the names to write.
    """
    makers = {name: maker for name, (maker, _) in GOOD.items()} | BAD | EITHER
    paths = {}
    for name, maker in makers.items():
        if only in name:
            paths[name] = folder / name
            paths[name].write_bytes(maker())
    return paths
