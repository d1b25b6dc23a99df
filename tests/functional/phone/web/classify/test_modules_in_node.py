"""The app's modules that need no browser, run by Node.js on images that Pillow and this file make."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from edge_runtime.image.orientation_and_colour import _UNDO, upright_transposition
from edge_runtime.image.preprocess import decoded

ROOT = Path(__file__).resolve().parents[5]
CORE = ROOT / "phone" / "web" / "core.wasm"
TESTS = Path(__file__).with_name("modules.test.mjs")

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SIZE = (23, 19)


def run_node(*arguments: str, folder: Path) -> str:
    """Runs Node.js, which gets the folder of images, and gives what it printed."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")
    done = subprocess.run(
        [node, *arguments], env={**os.environ, "IMAGES": str(folder)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def random_png(colour: int, depth: int, *, interlaced: bool, clear: bytes = b"", exif: bytes = b"") -> bytes:
    """A PNG of random samples in rows with random filters, of any kind that the format has."""
    chance = random.Random(f"{colour} {depth} {interlaced} {clear!r}")
    width, height = SIZE
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b""
    for left, top, across, down in passes:
        wide, high = -(-(width - left) // across), -(-(height - top) // down)
        stride = -(-wide * depth * SAMPLES[colour] // 8)
        rows += b"".join(bytes([chance.randrange(5)]) + chance.randbytes(stride) for _ in range(high))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", chance.randbytes(3 * 2**depth)) if colour == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + palette
        + (chunk(b"tRNS", clear) if clear else b"")
        + (chunk(b"eXIf", exif) if exif else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def pngs() -> dict[str, bytes]:
    """Every kind of PNG, with and without a transparent colour."""
    found = {}
    for colour, depths in DEPTHS.items():
        for depth in depths:
            for interlaced in (False, True):
                name = f"colour{colour}_depth{depth}{'_interlaced' if interlaced else ''}"
                found[name] = random_png(colour, depth, interlaced=interlaced)
    found |= {
        "gray1_clear": random_png(0, 1, interlaced=False, clear=b"\0\1"),
        "gray4_clear": random_png(0, 4, interlaced=False, clear=b"\0\5"),
        "gray8_clear": random_png(0, 8, interlaced=True, clear=b"\0\x40"),
        "gray16_clear": random_png(0, 16, interlaced=False, clear=b"\x12\x34"),
        "palette4_clear": random_png(3, 4, interlaced=False, clear=b"\0\x80\xff\x40"),
        "palette8_clear": random_png(3, 8, interlaced=True, clear=bytes(range(200))),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        found[f"turned{orientation}"] = random_png(
            2, 8, interlaced=False, exif=exif.tobytes().removeprefix(b"Exif\0\0")
        )
    return found


def orientation(data: bytes) -> int:
    """The orientation that the runtime undoes."""
    with Image.open(io.BytesIO(data)) as picture:
        method = upright_transposition(picture)
    return next((number for number, undone in _UNDO.items() if undone == method), 1)


def exif_block(*entries: tuple[int, int, bytes], magic: bytes = b"*\0") -> bytes:
    """EXIF with entries of a tag, a type and its four bytes."""
    rows = b"".join(struct.pack("<HHI", tag, kind, 1) + value.ljust(4, b"\0") for tag, kind, value in entries)
    return b"II" + magic + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)


def turned_images(picture: Image.Image) -> dict[str, bytes]:
    """Images whose orientation decoders read in different ways."""

    def saved(kind: str, **options: Any) -> bytes:
        out = io.BytesIO()
        picture.save(out, kind, **options)
        return out.getvalue()

    def jpeg(*blocks: bytes) -> bytes:
        plain = saved("JPEG")
        segments = [b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block for block in blocks]
        return plain[:2] + b"".join(segments) + plain[2:]

    def png(name: bytes, content: bytes) -> bytes:
        plain = saved("PNG")
        return plain[:33] + chunk(name, content) + plain[33:]

    tag, name = 0x0112, b"Exif\0\0"
    six = exif_block((tag, 3, b"\6"))
    xmp = b'<rdf:Description tiff:Orientation="%d"/>'
    jpeg_xmp = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    raw = b"\nexif\n      26\n" + six.hex().encode()
    return {
        "short.jpg": jpeg(name + six),
        "long.jpg": jpeg(name + exif_block((tag, 4, b"\6"))),
        "signed.jpg": jpeg(name + exif_block((tag, 8, b"\6"))),
        "byte.jpg": jpeg(name + exif_block((tag, 1, b"\6"))),
        "none.jpg": jpeg(name + exif_block((tag, 3, b"\x09"))),
        "twice.jpg": jpeg(name + exif_block((tag, 3, b"\6"), (tag, 3, b"\3"))),
        "two blocks.jpg": jpeg(name + exif_block((0x0110, 3, b"\1")), name + six),
        "two names.jpg": jpeg(name + name + six),
        "other name.jpg": jpeg(b"Exif\0\xff" + six),
        "other magic.jpg": jpeg(name + exif_block((tag, 3, b"\6"), magic=b"+\0")),
        "xmp.jpg": jpeg(jpeg_xmp % 8),
        "xmp twice.jpg": jpeg(jpeg_xmp % 8, jpeg_xmp % 3),
        "xmp and exif.jpg": jpeg(name + six, jpeg_xmp % 3),
        "exif.png": png(b"eXIf", six),
        "raw.png": png(b"tEXt", b"Raw profile type exif\0" + raw),
        "packed raw.png": png(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
        "xmp.png": png(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp % 6),
        "packed xmp.png": png(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp % 6)),
        "exif.webp": saved("WEBP", exif=name + six),
        "xmp.webp": saved("WEBP", xmp=xmp % 8),
    }  # fmt: skip


def gif_in(width: int, height: int, left: int) -> bytes:
    """A GIF of this size whose picture has 8 x 8 pixels."""
    out = io.BytesIO()
    Image.effect_noise((8, 8), 90).save(out, "GIF")
    data = bytearray(out.getvalue())
    struct.pack_into("<HH", data, 6, width, height)
    struct.pack_into("<H", data, data.index(b"\x2c\0\0\0\0", 13) + 1, left)
    return bytes(data)


def bmp(bits: int) -> bytes:
    """The header of a BMP of 8 x 8 pixels, with room for any."""
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, bits, 0, 256, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 326, 0, 0, 70) + header + bytes(272)


OTHERWISE_SHOWN = {
    "small.gif": gif_in(16, 16, 0),
    "beside.gif": gif_in(8, 8, 4),
    "16 bits.bmp": bmp(16),
    "32 bits.bmp": bmp(32),
}
"""Browsers show them, but not as the runtime does."""


@pytest.fixture(scope="module")
def profile() -> bytes:
    """A colour profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, profile: bytes) -> Path:
    """A folder of images, and what is known about them."""
    folder = tmp_path_factory.mktemp("images")
    picture = Image.frombytes("RGB", (48, 32), random.Random(7).randbytes(48 * 32 * 3))
    clear = picture.copy()
    clear.putalpha(Image.linear_gradient("L").resize(picture.size))
    exif = Image.Exif()
    exif[0x0112] = 6
    text = PngImagePlugin.PngInfo()
    text.add(b"gAMA", struct.pack(">I", 100_000))
    text.add(b"cHRM", bytes(32))
    saved: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "plain.jpg": (picture, {}),
        "profile.jpg": (picture, {"icc_profile": profile, "exif": exif.tobytes(), "comment": b"kept"}),
        # More than a segment holds, so that the profile is in several.
        "long_profile.jpg": (picture, {"icc_profile": profile + bytes(100_000)}),
        "plain.png": (picture, {}),
        "profile.png": (picture, {"icc_profile": profile}),
        "gamma.png": (picture, {"pnginfo": text}),
        "clear.png": (clear, {}),
        "plain.webp": (picture, {"quality": 80}),
        "lossless.webp": (picture, {"lossless": True}),
        "profile.webp": (picture, {"quality": 80, "icc_profile": profile}),
        "clear.webp": (clear, {"lossless": True}),
        "turned.webp": (picture, {"quality": 80, "exif": exif.tobytes()}),
        "xmp.jpg": (picture, {"xmp": b'<rdf:Description tiff:Orientation="8"/>'}),
        "plain.gif": (picture, {}),
        "plain.bmp": (picture, {}),
    }
    facts = {}
    for name, (made, options) in saved.items():
        made.save(folder / name, **options)
        facts[name] = {
            "width": 48,
            "height": 32,
            "opaque": made.mode == "RGB" and not name.endswith(".gif"),
            "profile": name.startswith(("profile", "long_profile", "gamma")),
        }
    kinds = {}
    for name, data in pngs().items():
        (folder / f"{name}.png").write_bytes(data)
        kinds[name] = hashlib.sha256(decoded(data, 3).tobytes()).hexdigest()
    shutil.copytree(ROOT / "tests" / "data" / "digits.bundle", folder / "bundle")
    turned = turned_images(picture)
    for name, data in (turned | OTHERWISE_SHOWN).items():
        (folder / name).write_bytes(data)
    (folder / "facts.json").write_text(
        json.dumps({
            "images": facts, "pngs": kinds, "refused": [*OTHERWISE_SHOWN],
            "orientations": {name: orientation(data) for name, data in turned.items()},
        })
    )  # fmt: skip
    (folder / "stripped").mkdir()
    return folder


def test_modules_pass_their_own_tests(images: Path) -> None:
    printed = run_node("--test", "--test-reporter=tap", str(TESTS), folder=images)
    assert "\n# fail 0" in printed
    if not CORE.is_file():
        pytest.skip("the tests that need core.wasm were skipped: make wasm")


@pytest.mark.parametrize(
    "name", ["profile.jpg", "long_profile.jpg", "profile.png", "gamma.png", "profile.webp"]
)
def test_stripped_image_is_the_same_picture_without_its_profile(images: Path, name: str) -> None:
    run_node("--test", "--test-name-pattern=profiles are taken out", str(TESTS), folder=images)
    data = (images / "stripped" / name).read_bytes()
    assert len(data) < (images / name).stat().st_size
    with Image.open(images / name) as before, Image.open(io.BytesIO(data)) as after:
        assert not {"icc_profile", "gamma"} & after.info.keys()
        assert after.tobytes() == before.tobytes()
        assert after.getexif() == before.getexif()
        if name == "profile.jpg":
            assert after.info["comment"] == b"kept"


def test_rewritten_jpeg_is_turned_alike_by_whoever_reads_it(images: Path) -> None:
    run_node("--test", "--test-name-pattern=every image has the orientation", str(TESTS), folder=images)
    for path in (images / "stripped").glob("*.jpg"):
        with Image.open(images / path.name) as before, Image.open(path) as after:
            assert dict(after.getexif()) in ({}, {0x0112: orientation((images / path.name).read_bytes())})
            assert upright_transposition(after) == upright_transposition(before), path.name
            assert after.tobytes() == before.tobytes()
