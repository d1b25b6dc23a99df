"""Seeds for the fuzz targets, made by code: small files of every kind that the runtime reads."""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MANIFEST: dict[str, Any] = {
    "schema_version": 1,
    "name": "seed",
    "labels": ["a", "b"],
    "input": {"height": 8, "width": 8, "channels": 3, "fit": "crop"},
    "artifacts": [
        {
            "kind": "tflite-fp32", "file": "m.tflite", "format": "tflite", "precision": "fp32",
            "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", "bytes": 1,
            "input": {"name": "i", "dtype": "uint8", "shape": [1, 8, 8, 3], "scale": 1.0, "zero_point": 0},
            "output": {"name": "o", "dtype": "float32", "shape": ["batch", 2]},
            "verdict": "pass", "temperature": 1.5, "repairs": ["bias correction"],
        }
    ],
    "provenance": {"created": "", "snapship": "", "model": "", "source_sha256": ""},
}  # fmt: skip


def images() -> dict[str, bytes]:
    """Encoded images of 12x9 pixels, by name."""
    rows, columns = np.mgrid[0:9, 0:12]
    rgb = np.stack([columns * 21, rows * 28, (rows + columns) * 12], axis=2).astype(np.uint8)
    picture, exif = Image.fromarray(rgb), Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    frames: dict[str, Any] = {"save_all": True, "append_images": [Image.new("RGB", (12, 9))]}
    made: list[tuple[str, Image.Image, str, dict[str, Any]]] = [
        ("jpeg", picture, "JPEG", {"exif": exif}),
        ("progressive", picture, "JPEG", {"progressive": True}),
        ("cmyk", picture.convert("CMYK"), "JPEG", {}),
        ("png", picture, "PNG", {"exif": exif}),
        ("png-alpha", picture.convert("RGBA"), "PNG", {}),
        ("png-palette", picture.convert("P"), "PNG", {"transparency": 3}),
        ("png-16", Image.fromarray(rgb[:, :, 0].astype(np.uint16) * 257), "PNG", {}),
        ("apng", picture, "PNG", frames),
        ("webp", picture, "WEBP", {}),
        ("webp-lossless", picture.convert("RGBA"), "WEBP", {"lossless": True, "exif": exif}),
        ("bmp", picture, "BMP", {}),
        ("gif", picture, "GIF", frames),
        ("tiff", picture, "TIFF", {"exif": exif}),
        ("tiff-lzw", picture, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff-jpeg", picture, "TIFF", {"compression": "jpeg"}),
        ("ppm", picture, "PPM", {}),
    ]
    out = {"plain-ppm": b"P3 2 1 9\n1 2 3 4 5 6\n"}
    for name, source, kind, options in made:
        buffer = io.BytesIO()
        source.save(buffer, kind, **options)
        out[name] = buffer.getvalue()
    return out


def manifests() -> dict[str, bytes]:
    """Manifests, by name."""
    with_golden = MANIFEST | {"golden": {"file": "golden/golden.json", "sha256": "0" * 64}}
    return {"plain": json.dumps(MANIFEST).encode(), "golden": json.dumps(with_golden).encode()}


def zips() -> dict[str, bytes]:
    """Zip bundles, by name."""
    out = {}
    for name, method, top in (("stored", 0, ""), ("deflated", 8, ""), ("folder", 8, "top/")):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr(f"{top}manifest.json", json.dumps(MANIFEST))
            archive.writestr(f"{top}labels.txt", "a\nb\n")
            archive.writestr(f"{top}m.tflite", "x")
        out[name] = buffer.getvalue()
    return out


def requests() -> dict[str, bytes]:
    """Bodies behind the byte that chooses their Content-Type, and events, by name."""
    png = images()["png"]
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    field = b'\r\n--x\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n3\r\n--x--\r\n'
    encoded = base64.b64encode(png).decode()
    s3 = {"bucket": {"name": "b"}, "object": {"key": "a+b%2F1.png", "size": 9, "sequencer": "0"}}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}
    return {
        # 252 and so on: the chosen kind, and the whole body in one message.
        "multipart": b"\xfc" + part + png + field,
        "json": b"\xfd" + json.dumps({"image": encoded, "top_k": 3, "score_threshold": 0.5}).encode(),
        "json-several": b"\xfd" + json.dumps({"images": [encoded, "data:image/png;base64,AA=="]}).encode(),
        "raw": b"\xfe" + png,
        "s3": json.dumps({"Records": [record]}).encode(),
        "sqs": json.dumps({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}]}).encode(),
        "keys": b"phone:scrypt:4096:8:1:" + b"0" * 32 + b":" + b"1" * 64 + b",",
    }


def write(kind: str, folder: Path) -> None:
    """Writes the seeds of one target.

    Args:
        kind: ``image``, ``manifest``, ``request`` or ``zip``.
        folder: Where to; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {"image": images, "manifest": manifests, "request": requests, "zip": zips}[
        kind
    ]().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
