"""Bytes that are no image are named for what they are, with what to do."""

from __future__ import annotations

import base64
import gzip
import io
import json

import numpy as np
import pytest
from PIL import Image

from edge_runtime.common.errors import ImageError, ImageFormatError
from edge_runtime.image.content_kind import content_kind
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels

SPEC = InputSpec(8, 8)
NOISE = np.random.default_rng(3).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, kind)
    return buffer.getvalue()


IMAGES = {kind: encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")}
JPEG = IMAGES["JPEG"]
NAMES = {"WEBP": "a WebP"}


def said(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        pixels(data, SPEC)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize("kind", IMAGES)
def test_image_written_as_text_is_named_with_its_format(kind: str) -> None:
    data, name = IMAGES[kind], NAMES.get(kind, f"a {kind}")
    plain = base64.b64encode(data)
    assert f"base64 text of {name}. Decode it" in said(plain)
    assert f"base64 text of {name}" in said(base64.encodebytes(data))
    assert f"base64 text of {name}" in said(b"\xef\xbb\xbf" + plain)
    assert f"base64 text of {name}, in quotes" in said(json.dumps(plain.decode()).encode())
    assert f"base64 text of {name}" in said(plain.decode().encode("utf-16"))
    assert f"text of {name}" in said(base64.urlsafe_b64encode(data).rstrip(b"="))
    assert f"hexadecimal text of {name}" in said(data.hex().encode())
    assert "data: URL of image/png. Decode what follows" in said(b"data:image/png;base64," + plain)
    assert "bytes as Python prints them" in said(repr(data).encode())
    assert f"a form field with base64 text of {name}" in said(b"image=" + plain.replace(b"/", b"%2F"))
    assert "gzip data. Decompress it" in said(gzip.compress(data))


@pytest.mark.parametrize("kind", IMAGES)
def test_image_that_went_through_a_text_decoder_is_named(kind: str) -> None:
    data = IMAGES[kind]
    for mangled in (
        data.decode("utf-8", "replace").encode(),
        data.decode("latin-1").encode(),
        data.decode("cp1252", "replace").encode(),
    ):
        assert "text" in said(mangled)
        assert "own bytes" in said(mangled)


def test_image_that_lost_its_bytes_over_127_is_named() -> None:
    for kind in ("JPEG", "PNG"):
        for way in ("ignore", "replace"):
            lost = IMAGES[kind].decode("ascii", way).encode("ascii", way)
            assert "converted to ASCII text" in said(lost)
    for before, after in ((b"\r\n", b"\n"), (b"\n", b"\r\n")):
        assert "line ends were changed" in said(IMAGES["PNG"].replace(before, after))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "a HEIC photo. Convert it to JPEG"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf" + bytes(99), "a HEIC photo"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf" + bytes(99), "an AVIF. Convert it"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(99), "an AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(99), "a raw photo (CR3)"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(99), "an MP4 or MOV video. Send one frame"),
        (encoded("JPEG2000"), "a JPEG 2000"),
        (b"\xff\x0a" + bytes(range(99)), "a JPEG XL"),
        (b"8BPS\0\1" + bytes(99), "a Photoshop document"),
        (b"%PDF-1.7\n", "a PDF. Render it"),
        (b"PK\x03\x04" + bytes(99), "a zip archive"),
        (bytes(128) + b"DICM" + bytes(99), "a DICOM image"),
        (bytes(5000), "only zero bytes"),
        (JPEG[:20], "a JPEG. Its header is damaged: replace"),
        (b"\x89PNG\0\0\0\0" + bytes(99), "a PNG. Its header is damaged"),
        (b"II*\0\x08\0\0\0\1\0" + bytes(20), "a TIFF. Its header is damaged"),
        (b"\xef\xbb\xbf" + JPEG, "a JPEG behind a byte-order mark"),
        (b'{"image": "AAAA"}', "JSON that starts '{\"image\": \"AAAA\"'. Pass the image's bytes"),
        (b"[255, 216, 255]", "JSON that starts"),
        (b"\n<!DOCTYPE html><html>", "an HTML page"),
        (b"<?xml version='1.0'?><!-- a --><svg>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code>", "an S3 error (AccessDenied)"),
        (b"<a/>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer. Run: git lfs pull"),
        (b"https://example.org/cat.jpg", "a URL. Download it"),
        (b"------a\r\nContent-Disposition: form-data; name=x\r\n\r\n" + JPEG, "a multipart form"),
        (b"name=hello world and others", "text that starts 'name=hello world'"),
        ("Übermäßig schöne Grüße".encode() * 9, "text that starts 'Übermäßig schöne'"),
        (b"\1\2\3\4" * 9, "36 bytes that start 01 02 03 04"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_bytes_are_named_for_what_they_are(data: bytes, words: str) -> None:
    with pytest.raises(ImageFormatError):
        pixels(data, SPEC)
    assert words in said(data)


def test_long_text_without_spaces_is_not_called_base64_of_an_image() -> None:
    assert content_kind(b"thequickbrownfoxjumps").name == "text that starts 'thequickbrownfox'"
    assert content_kind(b"abcdefghijklmnopqrstuvwxyz" * 20).name == "base64 text"


def test_every_beginning_has_a_name() -> None:
    random = np.random.default_rng(11)
    for _ in range(3000):
        data = random.integers(0, 256, random.integers(1, 80), dtype=np.uint8).tobytes()
        for head in (
            b"",
            b"II*\0\x08\0\0\0",
            b"MM\0*\0\0\0\x08",
            b"\xff\xfe",
            b"{",
            b"data:",
            b"<",
            b"\0\0\0\x18ftyp",
        ):
            kind = content_kind(head + data)
            assert kind.name
            assert kind.cure
            assert "\n" not in kind.name + kind.cure
