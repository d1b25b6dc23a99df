from __future__ import annotations

import gc
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.common.errors import ImageError
from edge_runtime.image import fast_jpeg
from edge_runtime.image.preprocess import decoded

pytest.importorskip("simplejpeg", reason="needs the extra fast")


@pytest.fixture(autouse=True)
def _not_the_first() -> None:
    """A process's first JPEG is Pillow's; these tests are about the others."""
    next(fast_jpeg._first, None)


def jpeg(mode: str, orientation: int = 1, **options: object) -> bytes:
    noise = np.random.default_rng(3).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).convert(mode)
    exif = picture.getexif()
    exif[0x0112] = orientation
    stored = io.BytesIO()
    picture.save(stored, "JPEG", exif=exif, **options)
    return stored.getvalue()


def with_pillow(data: bytes, monkeypatch: pytest.MonkeyPatch) -> Image.Image:
    with monkeypatch.context() as patched:
        patched.setattr(fast_jpeg, "usable", lambda: False)
        return decoded(data, 3)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_pixels_are_those_of_pillow(
    mode: str, subsampling: int, progressive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = jpeg(mode, 6, quality=77, subsampling=subsampling, progressive=progressive)
    expected = with_pillow(data, monkeypatch)
    assert fast_jpeg.usable()
    assert decoded(data, 3).size == (97, 131)
    assert decoded(data, 3).tobytes() == expected.tobytes()


def test_it_is_used_for_rgb_and_left_out_for_cmyk() -> None:
    for mode, used in (("RGB", True), ("CMYK", False)):
        data = jpeg(mode)
        with Image.open(io.BytesIO(data)) as header:
            assert (fast_jpeg.decode(data, header) is not None) is used


def test_truncated_file_is_still_an_error() -> None:
    with pytest.raises(ImageError, match="last byte"):
        decoded(jpeg("RGB")[:-900], 3)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_file_gives_what_pillow_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(jpeg("RGB", quality=60))
    rng = np.random.default_rng(seed)
    data[int(rng.integers(700, len(data)))] ^= int(rng.integers(1, 256))

    def outcome(use_pillow: bool) -> object:
        try:
            picture = with_pillow(bytes(data), monkeypatch) if use_pillow else decoded(bytes(data), 3)
        except ImageError:
            return "refused"
        return picture.tobytes()

    assert outcome(False) == outcome(True)


def test_a_decoder_that_rounds_differently_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fast_jpeg._decode
    fast_jpeg.usable.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(fast_jpeg, "_decode", lambda *words: real(*words) ^ 1)  # type: ignore[operator]
        assert not fast_jpeg.usable()
    fast_jpeg.usable.cache_clear()


def test_real_photos_are_bit_equal(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = sorted((shared / "data" / "imagenet-sample").glob("*.JPEG"))[:60]
    for photo in photos:
        data = photo.read_bytes()
        assert decoded(data, 3).tobytes() == with_pillow(data, monkeypatch).tobytes(), photo.name


def test_first_jpeg_of_a_process_is_pillow_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_jpeg, "_first", iter((True,)))
    data = jpeg("RGB")
    with Image.open(io.BytesIO(data)) as header:
        assert fast_jpeg.decode(data, header) is None
        assert fast_jpeg.decode(data, header) is not None


def test_image_keeps_the_decoder_s_memory_and_is_not_written_to() -> None:
    data = jpeg("RGB")
    with Image.open(io.BytesIO(data)) as header:
        picture = fast_jpeg.decode(data, header)
    assert picture is not None
    before = picture.copy()
    other = picture.copy()
    gc.collect()
    assert picture.tobytes() == before.tobytes()
    picture.putpixel((0, 0), (1, 2, 3))
    assert picture.getpixel((0, 0)) == (1, 2, 3)
    assert other.tobytes() == before.tobytes()


def test_rows_of_a_wrong_size_or_a_damaged_file_are_refused() -> None:
    data = jpeg("RGB")
    assert fast_jpeg.decode_jpeg(data, np.empty((97, 131, 4), np.uint8))
    for wrong, size in ((data, (130, 97)), (data, (132, 98)), (data[:-500], (131, 97))):
        assert not fast_jpeg.decode_jpeg(wrong, np.empty((size[1], size[0], 4), np.uint8))
