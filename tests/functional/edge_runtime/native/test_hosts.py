"""Every host of the C core gives the bytes of Python's pixels: browsers, arm64, the Java virtual machine."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.engines import result
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.orientation_and_colour import eight_bit_colour
from edge_runtime.image.preprocess import decoded, pixels
from tests.functional.edge_runtime.native.core_hosts import HOSTS, Host, Job, resize_job

SPECS = [
    InputSpec(height=size, width=size, channels=channels, fit=fit, resize=resize)
    for size in (224, 160, 96)
    for fit in ("stretch", "crop")
    for resize in ("antialiased", "plain")
    for channels in (3, 1)
]
# Not square: other parts of the picture, in fractions of its pixels.
SPECS += [
    InputSpec(height=77, width=131, channels=channels, fit="crop", resize=resize)
    for resize in ("antialiased", "plain")
    for channels in (3, 1)
]
BANDS = (1, 7, 16, 64, 100_000)


@pytest.fixture(scope="module", params=HOSTS)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Host:
    return HOSTS[request.param](tmp_path_factory.mktemp(request.param))


def noise(width: int, height: int, seed: int) -> Image.Image:
    """Fine noise on a smooth picture: all values, and edges."""
    random = np.random.default_rng(seed)
    smooth = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
    values = np.asarray(smooth.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    values = values + random.integers(-60, 61, (height, width, 3), dtype=np.int16)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, subsampling: str = "4:2:0", **options: object) -> bytes:
    file = io.BytesIO()
    gray = {} if picture.mode == "L" else {"subsampling": subsampling}
    picture.save(file, "JPEG", quality=85, **gray, **options)
    return file.getvalue()


MADE = {
    "4:4:4": lambda: jpeg(noise(500, 375, 1), "4:4:4"),
    "4:2:2": lambda: jpeg(noise(375, 500, 2), "4:2:2"),
    "4:2:0": lambda: jpeg(noise(640, 480, 3)),
    "odd": lambda: jpeg(noise(333, 251, 4)),
    "progressive": lambda: jpeg(noise(301, 299, 5), progressive=True),
    "gray": lambda: jpeg(noise(401, 301, 6).convert("L")),
    "wide": lambda: jpeg(noise(1999, 60, 7)),
    "tall": lambda: jpeg(noise(61, 2003, 8)),
    "smaller than the input": lambda: jpeg(noise(67, 41, 9)),
    "tiny": lambda: jpeg(noise(3, 2, 10)),
    "one pixel": lambda: jpeg(noise(1, 1, 11)),
    "one side fits": lambda: jpeg(noise(224, 300, 12)),
}


def rows_of(image: bytes, channels: int) -> np.ndarray:
    """The decoded picture as a browser's core takes it: 4 bytes a pixel, or 1 of gray."""
    values = np.asarray(decoded(image, channels))
    if channels == 1:
        return values
    # The fourth byte is nobody's: noise.
    rest = np.random.default_rng(0).integers(0, 256, (*values.shape[:2], 1), dtype=np.uint8)
    return np.ascontiguousarray(np.concatenate([values, rest], axis=2))


def agree(host: Host, images: Iterator[bytes], specs: list[InputSpec]) -> int:
    """Runs all images in one process; returns how many answers were compared."""
    jobs, expected = [], []
    for image in images:
        for index, spec in enumerate(specs):
            jobs.append(resize_job(rows_of(image, spec.channels), spec, BANDS[len(jobs) % len(BANDS)]))
            expected.append(pixels(image, spec))
    for job, found, wanted in zip(jobs, host.run(jobs), expected, strict=True):
        assert found == wanted.tobytes(), job.line
    return len(jobs)


def test_made_images_have_python_s_pixels(host: Host) -> None:
    assert agree(host, (make() for make in MADE.values()), SPECS) == len(MADE) * len(SPECS)
