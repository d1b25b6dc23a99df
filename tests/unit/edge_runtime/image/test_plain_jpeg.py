"""The short way of plain JPEGs gives what the long way gives, and leaves all else to it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from edge_runtime.common.errors import ImageError
from edge_runtime.image import fast_jpeg, photo_memory, plain_jpeg, preprocess, resize, resize_and_crop
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.plain_jpeg import plain_pixels, plain_size
from edge_runtime.image.preprocess import pixels

SPEC = InputSpec(height=24, width=32)
LIMIT = 1_000_000


def jpeg(mode: str = "RGB", size: tuple[int, int] = (70, 50), **options: Any) -> bytes:
    noise = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stored = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(stored, "JPEG", **options)
    return stored.getvalue()


def outcome(data: bytes, spec: InputSpec, *, short: bool) -> object:
    """The pixels, or that the image was refused."""
    with pytest.MonkeyPatch.context() as patched:
        if not short:
            patched.setattr(preprocess, "plain_pixels", lambda *words: None)
        try:
            return pixels(data, spec).tobytes()
        except ImageError:
            return "refused"


@pytest.fixture(params=["fast", "compiled", "pillow's memory", "pillow"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With all speed-ups, without simplejpeg, also without memory of our own, and without the compiled part."""
    next(fast_jpeg._first, None)
    if request.param != "fast":
        monkeypatch.setattr(fast_jpeg, "usable", lambda: False)
    elif not (fast_jpeg.usable() and resize.usable()):
        pytest.skip("needs the extra fast and the compiled part")
    if request.param == "pillow's memory":
        monkeypatch.setattr(photo_memory, "usable", lambda: False)
    if request.param == "pillow":
        monkeypatch.setattr(resize, "usable", lambda: False)
        monkeypatch.setattr(resize_and_crop, "usable", lambda: False)
    return str(request.param)


@pytest.mark.parametrize("how", ["antialiased", "plain"])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(70, 50), (50, 170), (32, 24), (9, 5), (1, 1)])
def test_pixels_are_those_of_the_long_way(
    way: str, fit: Any, how: Any, subsampling: int, size: tuple[int, int]
) -> None:
    data = jpeg(size=size, subsampling=subsampling, comment=b"a comment", quality=83)
    spec = InputSpec(height=24, width=32, fit=fit, resize=how)
    short = plain_pixels(data, spec, LIMIT)
    assert short is not None
    assert short.shape == spec.shape
    assert short.flags.c_contiguous
    assert short.tobytes() == outcome(data, spec, short=False)


def test_a_colour_profile_and_restart_markers_change_nothing(way: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = jpeg(icc_profile=profile, restart_marker_rows=1)
    short = plain_pixels(data, SPEC, LIMIT)
    assert short is not None
    assert short.tobytes() == outcome(data, SPEC, short=False)


def exif(orientation: int | None = 6) -> bytes:
    found = Image.Exif()
    found[0x010F] = "a camera"
    if orientation is not None:
        found[0x0112] = orientation
    return found.tobytes()


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def xmp(orientation: int) -> bytes:
    text = f'<x tiff:Orientation="{orientation}"/>'.encode()
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + text)


def without_jfif(data: bytes) -> bytes:
    """As cameras write it: EXIF comes first, and nothing names the colours."""
    return data[:2] + data[20:]


@pytest.mark.parametrize(
    "data",
    [
        jpeg(exif=exif(1)),
        without_jfif(jpeg(exif=exif(1))),
        without_jfif(jpeg(exif=exif(1), subsampling=1, comment=b"x")),
        jpeg()[:20] + segment(0xE1, exif(1)) + xmp(6) + jpeg()[20:],
        jpeg()[:20] + xmp(6) + segment(0xE1, exif(1)) + jpeg()[20:],
    ],
)
def test_an_upright_photo_of_a_camera_is_plain(way: str, data: bytes) -> None:
    short = plain_pixels(data, SPEC, LIMIT)
    assert short is not None
    assert short.tobytes() == outcome(data, SPEC, short=False)


def photo_in_a_photo(data: bytes) -> bytes:
    """With a segment of the kind in which phones announce a second picture."""
    return data[:20] + b"\xff\xe2\x00\x10MPF\0" + bytes(10) + data[20:]


@pytest.mark.parametrize(
    "make",
    [
        lambda: jpeg("L"),
        lambda: jpeg("CMYK"),
        lambda: jpeg(progressive=True),
        lambda: jpeg(exif=exif()),
        lambda: jpeg(exif=exif(None)),
        lambda: without_jfif(jpeg(exif=exif(0))),
        lambda: jpeg()[:20] + segment(0xE1, exif(1)) + segment(0xE1, exif(6)) + jpeg()[20:],
        lambda: jpeg()[:20] + segment(0xE1, b"Exif\0\0") + jpeg()[20:],
        lambda: jpeg()[:20] + xmp(6) + jpeg()[20:],
        lambda: without_jfif(jpeg(exif=exif(1), keep_rgb=True)),
        lambda: jpeg(keep_rgb=True),
        lambda: photo_in_a_photo(jpeg()),
        lambda: jpeg().replace(b"JFIF", b"JFXX"),
        lambda: b"\xff\xd8" + jpeg()[20:],
        lambda: jpeg()[:100],
        lambda: jpeg()[:2],
        lambda: b"",
        lambda: b"\x89PNG\r\n\x1a\n" + bytes(40),
    ],
)
def test_what_is_not_plain_is_left_to_the_long_way(make: Callable[[], bytes]) -> None:
    assert plain_size(make()) is None


def test_a_gray_model_and_a_large_picture_take_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain_size(jpeg()) == (70, 50)
    assert plain_pixels(jpeg(), InputSpec(height=24, width=32, channels=1), LIMIT) is None
    assert plain_pixels(jpeg(), SPEC, 3499) is None
    assert plain_pixels(jpeg(), SPEC, 3500) is not None
    # Without the compiled part, a large one is resized channel by channel.
    monkeypatch.setattr(plain_jpeg, "LARGE_PIXELS", 3499)
    assert (plain_pixels(jpeg(), SPEC, LIMIT) is None) is not resize.usable()
    monkeypatch.setattr(plain_jpeg, "fits_rows", lambda spec: False)
    assert plain_pixels(jpeg(), SPEC, LIMIT) is None


@pytest.mark.parametrize("size", [(300, 200), (20, 2000), (2000, 20)])
def test_a_large_picture_is_that_of_the_long_way_channel_by_channel(
    way: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (plain_jpeg, preprocess):
        monkeypatch.setattr(module, "LARGE_PIXELS", 10_000)
    data = jpeg(size=size)
    assert outcome(data, SPEC, short=True) == outcome(data, SPEC, short=False)


def test_limits_hold_and_name_themselves() -> None:
    with pytest.raises(ImageError, match="at most 3,499 pixels"):
        pixels(jpeg(), SPEC, max_pixels=3499)
    with pytest.raises(ImageError, match="bytes"):
        pixels(jpeg(), SPEC, max_bytes=100)


@pytest.mark.parametrize("data_behind", [True, False])
def test_a_header_of_millions_of_segments_is_refused_at_once(data_behind: bool) -> None:
    data = jpeg()
    many = data[:20] + b"\xff\xfe\0\2" * 1_000_000 + (data[20:] if data_behind else b"")
    before = time.process_time()
    assert plain_size(many) is None
    assert plain_size(data[:20] + b"\xff\xfe\0\2" * 900 + data[20:]) == (70, 50)
    with pytest.raises(ImageError):
        pixels(many, SPEC)
    took = time.process_time() - before
    # It does not walk over all of them: that takes a hundred times as long.
    before, place = time.process_time(), 20
    while many[place : place + 2] == b"\xff\xfe":
        place += 2 + int.from_bytes(many[place + 2 : place + 4], "big")
    assert took < time.process_time() - before


def test_pixels_are_not_writable_whichever_way_they_came(way: str) -> None:
    assert not pixels(jpeg(), SPEC).flags.writeable
    assert not pixels(jpeg(size=(32, 24)), SPEC).flags.writeable


def test_a_truncated_file_is_an_error(way: str) -> None:
    with pytest.raises(ImageError, match="last byte"):
        pixels(jpeg(size=(300, 200))[:-3000], SPEC)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    camera=st.booleans(),
    at=st.integers(0, 5000),
    change=st.integers(1, 255),
    cut=st.one_of(st.none(), st.integers(0, 5000)),
)
def test_a_damaged_file_gives_what_the_long_way_gives(
    way: str, camera: bool, at: int, change: int, cut: int | None
) -> None:
    photo = jpeg(comment=b"x" * 20, quality=60)
    data = bytearray(photo[:2] + segment(0xE1, exif(1)) + xmp(6) + photo[20:] if camera else photo)
    # Half of the changes in the header, where the two ways differ.
    at = at % (len(data) if at % 2 else 700)
    data[at] ^= change
    damaged = bytes(data if cut is None else data[: cut % len(data)])
    assert outcome(damaged, SPEC, short=True) == outcome(damaged, SPEC, short=False)


def test_first_photo_of_a_process_waits_for_no_speed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(fast_jpeg, "_first", iter((True,)))
    monkeypatch.setattr(fast_jpeg, "usable", lambda: bool(asked.append(True)))
    plain_pixels(jpeg(), SPEC, LIMIT)
    assert not asked
    plain_pixels(jpeg(), SPEC, LIMIT)
    assert asked


def test_results_of_one_thread_do_not_share_memory(way: str) -> None:
    first = pixels(jpeg(), SPEC)
    before = first.copy()
    pixels(jpeg(quality=5), SPEC)
    np.testing.assert_array_equal(first, before)


def test_real_photos(shared: Path, way: str) -> None:
    photos = sorted((shared / "data" / "imagenet-sample").glob("*.JPEG"))[:40]
    plain = 0
    for photo in photos:
        data = photo.read_bytes()
        short = plain_pixels(data, SPEC, 50_000_000)
        if short is not None:
            plain += 1
            assert short.tobytes() == outcome(data, SPEC, short=False), photo.name
    assert plain > len(photos) // 2
