from __future__ import annotations

import io
import mmap
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image import photo_memory
from edge_runtime.image.photo_memory import decode_jpeg, picture_over, rows_of

SIZE = (131, 97)


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    photo_memory._kept.__dict__.clear()


def jpeg(**options: Any) -> tuple[bytes, np.ndarray[Any, Any]]:
    noise = np.random.default_rng(3).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    stored = io.BytesIO()
    Image.fromarray(noise).save(stored, "JPEG", **options)
    return stored.getvalue(), np.asarray(Image.open(stored))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_pillow_decodes_into_it(subsampling: int) -> None:
    assert photo_memory.usable()
    data, expected = jpeg(subsampling=subsampling)
    with rows_of(SIZE) as rows:
        assert decode_jpeg(data, rows)
        np.testing.assert_array_equal(rows[:, :, :3], expected)
        assert not decode_jpeg(data[:-900], rows)
        assert not decode_jpeg(b"no image", rows)


def test_a_pillow_that_cannot_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(rows: photo_memory.UInt8, mode: str) -> Image.Image:
        return picture_over(np.ascontiguousarray(rows[:, ::-1]), mode)

    def missing(rows: photo_memory.UInt8, mode: str) -> Image.Image:
        raise AttributeError("map_buffer")

    for broken in (swapped, missing):
        photo_memory.usable.cache_clear()
        monkeypatch.setattr(photo_memory, "picture_over", broken)
        assert not photo_memory.usable()
    photo_memory.usable.cache_clear()


def test_a_thread_uses_it_again_and_lends_it_once() -> None:
    with rows_of(SIZE) as first:
        # As from a signal handler, in the same thread.
        with rows_of(SIZE) as inner:
            assert not np.shares_memory(first, inner)
        assert first.shape == (97, 131, 4)
    with rows_of((50, 20)) as again:
        assert np.shares_memory(again, first) or np.shares_memory(again, inner)


def test_memory_of_two_threads_lies_apart() -> None:
    def lent() -> photo_memory.UInt8:
        with rows_of(SIZE) as rows:
            return rows

    with ThreadPoolExecutor(1) as threads:
        theirs = threads.submit(lent).result()
    assert not np.shares_memory(lent(), theirs)


@pytest.mark.parametrize("width", range(1, 40))
def test_a_small_photo_does_not_start_at_whole_32_bytes(width: int) -> None:
    photo_memory._kept.__dict__.clear()
    with rows_of((width, 3)) as rows:
        assert rows.shape == (3, width, 4)
        assert rows.ctypes.data % 32 == 16


def test_it_is_returned_after_an_error() -> None:
    with pytest.raises(KeyError), rows_of(SIZE) as rows:
        raise KeyError
    with rows_of(SIZE) as again:
        assert np.shares_memory(again, rows)


def test_large_memory_is_kept_only_if_the_system_can_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_memory, "_SMALL_BYTES", 4 * 131 * 97 - 1)
    if hasattr(mmap, "MADV_FREE"):
        with rows_of(SIZE) as large:
            large[:] = 7
        with rows_of((100, 100)) as small, rows_of((100, 100)) as other:
            assert np.shares_memory(small, large)
            assert not np.shares_memory(other, large)
    photo_memory._kept.__dict__.clear()
    monkeypatch.setattr(photo_memory, "_LARGE_BYTES", 4 * 131 * 97 - 1)
    with rows_of(SIZE):
        pass
    assert not photo_memory._kept.__dict__
    monkeypatch.setattr(photo_memory, "_advised", lambda memory, advice: False)
    with rows_of(SIZE):
        pass
    assert not photo_memory._kept.__dict__


def test_a_system_without_marking_memory_as_free_keeps_no_large_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As on Windows.
    for name in ("MADV_FREE", "MADV_HUGEPAGE", "MAP_PRIVATE", "MAP_ANONYMOUS"):
        monkeypatch.delattr(mmap, name, raising=False)
    monkeypatch.setattr(photo_memory, "_SMALL_BYTES", 4 * 131 * 97 - 1)
    with rows_of(SIZE) as large:
        large[:] = 7
    assert not photo_memory._kept.__dict__
    with rows_of((100, 100)) as small:
        small[:] = 7
    assert photo_memory._kept.__dict__


def test_too_much_memory_is_a_memory_error() -> None:
    with pytest.raises(MemoryError), rows_of((2**31, 2**26)):
        pass
