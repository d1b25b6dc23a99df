"""Every host of the C core gives the bytes of Python's pixels: browsers, arm64, the Java virtual machine."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from core_hosts import HOSTS, Host, Job, resize_job
from PIL import Image

from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.orientation_and_colour import eight_bit_colour
from edge_runtime.image.preprocess import decoded, pixels

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


def agree(host: Host, jobs: tuple[Job, ...], expected: tuple[bytes, ...]) -> None:
    """All images in one process."""
    for job, found, wanted in zip(jobs, host.run(jobs), expected, strict=True):
        assert found == wanted, job.line


def with_pixels(images: Iterable[bytes], specs: list[InputSpec]) -> tuple[tuple[Job, ...], tuple[bytes, ...]]:
    """Jobs, in bands of all heights, and Python's pixels."""
    pairs = [(image, spec) for image in images for spec in specs]
    jobs = tuple(
        resize_job(rows_of(image, spec.channels), spec, BANDS[index % len(BANDS)])
        for index, (image, spec) in enumerate(pairs)
    )
    return jobs, tuple(pixels(image, spec).tobytes() for image, spec in pairs)


@pytest.fixture(scope="module")
def made() -> tuple[tuple[Job, ...], tuple[bytes, ...]]:
    return with_pixels([make() for make in MADE.values()], SPECS)


@pytest.fixture(scope="module")
def photographed(shared: Path) -> tuple[tuple[Job, ...], tuple[bytes, ...]]:
    files = sorted((shared / "data" / "imagenet-sample").rglob("*.JPEG"))[::6][:10]
    assert files
    specs = [spec for spec in SPECS if spec.channels == 3 and spec.resize == "antialiased"]
    return with_pixels([file.read_bytes() for file in files], specs)


def test_made_images_have_python_s_pixels(
    host: Host, made: tuple[tuple[Job, ...], tuple[bytes, ...]]
) -> None:
    assert len(made[0]) == len(MADE) * len(SPECS)
    agree(host, *made)


def test_photos_have_python_s_pixels(
    host: Host, photographed: tuple[tuple[Job, ...], tuple[bytes, ...]]
) -> None:
    agree(host, *photographed)


def test_any_part_is_python_s(host: Host) -> None:
    """Parts in fractions of a pixel, larger and smaller, with vectors by hand and without."""
    _native = pytest.importorskip("edge_runtime._native")
    random = np.random.default_rng(1)
    jobs, expected = [], []
    for _ in range(300):
        width, height, to_width, to_height = (int(side) for side in random.choice([1, 2, 5, 9, 64, 131], 4))
        rows = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
        left, top = random.random() * (width - 0.01), random.random() * (height - 0.01)
        part = (left, top, left + (width - left) * random.random() + 1e-4, height)
        part = (left, top, min(part[2], width), height)
        numbers = (
            width,
            height,
            *map(float, part),
            to_width,
            to_height,
            3,
            0,
            random.integers(2),
            random.integers(1, 9),
        )
        jobs.append(Job(" ".join(map(str, ("resize", *numbers))), rows.tobytes()))
        out = np.empty((to_height, to_width, 3), np.uint8)
        _native.resize(rows, (width, height), out, (to_width, to_height), part)
        expected.append(out.tobytes())
    assert host.run(jobs) == expected


@pytest.mark.parametrize("channels", [3, 1])
def test_alpha_is_put_on_white_as_pillow_does(host: Host, channels: int) -> None:
    """Every value with every alpha."""
    alpha, value = np.mgrid[0:256, 0:256].astype(np.uint8)
    rgba = np.stack([value, 255 - value, value * np.uint8(7), alpha], axis=2)
    expected = np.asarray(eight_bit_colour(Image.fromarray(rgba), channels))
    (found,) = host.run([Job(f"pixels {256 * 256} {channels}", rgba.tobytes())])
    assert found == expected.tobytes()
    if channels == 3:
        opaque = np.dstack([expected, np.full_like(alpha, 255)])
        assert host.run(
            [Job(f"opaque {256 * 256}", rgba.tobytes()), Job(f"opaque {256 * 256}", opaque.tobytes())]
        ) == [b"\x01" + opaque.tobytes(), b"\x00" + opaque.tobytes()]


def test_one_transparent_pixel_is_found_wherever_it_is(host: Host) -> None:
    opaque = np.full((200, 4), 255, np.uint8)
    jobs, expected = [], []
    for place in (0, 63, 64, 127, 198, 199):
        pixels_ = opaque.copy()
        pixels_[place] = (0, 0, 0, 0)
        jobs.append(Job("opaque 200", pixels_.tobytes()))
        expected.append(b"\x01" + opaque.tobytes())
    assert host.run([*jobs, Job("opaque 0", b"")]) == [*expected, b"\x00"]


def test_scores_are_ranked_as_python_does(host: Host) -> None:
    random = np.random.default_rng(2)
    jobs, expected = [], []
    for count in (1, 2, 5, 1000, 5000):
        scores = random.choice(random.random(40).astype(np.float32), 1000)
        jobs.append(Job(f"best 1000 {count}", scores.tobytes()))
        order = sorted(range(1000), key=lambda index, scores=scores: (-scores[index], index))[:count]
        expected.append(np.array(order, np.int32).tobytes())
    for wrong in (np.nan, np.inf, -np.inf):
        jobs.append(Job("best 3 1", np.array([1, 2, wrong], np.float32).tobytes()))
        expected.append(None)
    assert host.run(jobs) == expected


def test_sha256_is_python_s(host: Host) -> None:
    data = np.random.default_rng(3).bytes(100_003)
    sizes = [*range(1, 130), 1000, 100_003]
    jobs = [Job(f"sha256 {size} {band}", data[:size]) for size in sizes for band in (7, 64, 200_000)]
    expected = [hashlib.sha256(data[:size]).digest() for size in sizes for _ in range(3)]
    assert host.run(jobs) == expected


DOES_NOT_FIT = (
    "0 4 0 0 1 1 2 2 3 0",
    "4 65536 0 0 4 4 2 2 3 0",
    "4 4 0 0 4 4 -1 2 3 0",
    "4 4 0 0 4 4 2 65536 3 0",
    "4 4 0 0 4.1 4 2 2 3 0",
    "4 4 -0.1 0 4 4 2 2 3 0",
    "4 4 2 0 2 4 2 2 3 0",
    "4 4 0 3 4 2 2 2 3 0",
    "4 4 NaN 0 4 4 2 2 3 0",
    "4 4 0 0 4 NaN 2 2 3 0",
    "4 4 0 0 Infinity 4 2 2 3 0",
    "4 4 0 0 4 4 2 2 2 0",
    "4 4 0 0 4 4 2 2 4 1",
    "4 4 0.5 0 4 4 2 2 3 1",
    "4 4 0 0 3.5 4 2 2 1 1",
)


def test_a_resize_that_does_not_fit_is_refused(host: Host) -> None:
    fits = Job("resize 4 4 0 0 4 4 2 2 3 1 0 4", bytes(64))
    refused = [Job(f"resize {numbers} 0 4", b"") for numbers in DOES_NOT_FIT]
    assert host.run([*refused, fits]) == [*[None] * len(refused), bytes(12)]
