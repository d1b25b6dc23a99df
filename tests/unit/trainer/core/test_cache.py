"""Decoded pixels: the device's own, kept, and never half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels
from trainer.core.cache import cached_pixels, default_cache_dir
from trainer.progress import Event

Photos = Callable[..., Path]
SPEC = InputSpec(height=7, width=5)


@pytest.mark.parametrize("spec", [SPEC, InputSpec(6, 6, 1), InputSpec(20, 8, 3, "crop")])
def test_pixels_are_bit_for_bit_those_of_the_device(tmp_path: Path, photos: Photos, spec: InputSpec) -> None:
    folder = photos(12)
    cached = cached_pixels(open_dataset(folder), spec, tmp_path / "cache")
    assert cached.array.dtype == np.uint8
    assert cached.array.shape == (24, *spec.shape)
    for row, item in zip(cached.array, cached.images.items, strict=True):
        np.testing.assert_array_equal(row, pixels(folder / item.ref, spec))
    assert cached.labels.tolist() == [item.label for item in cached.images.items]
    assert sorted([*cached.only("train"), *cached.only("val")]) == list(range(24))
    assert all(cached.images.items[place].split == "val" for place in cached.only("val"))


def test_second_time_decodes_nothing(tmp_path: Path, photos: Photos) -> None:
    images = open_dataset(photos(6))
    first = cached_pixels(images, SPEC, tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    events: list[Event] = []
    second = cached_pixels(images, SPEC, tmp_path / "cache", events.append)
    assert not events
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    np.testing.assert_array_equal(first.array, second.array)


def test_name_changes_with_content_and_input(tmp_path: Path, photos: Photos) -> None:
    cache = tmp_path / "cache"
    folder = photos(6)
    counts = []
    for spec in (SPEC, InputSpec(7, 6), InputSpec(7, 5, 1), InputSpec(7, 5, 3, "crop")):
        cached_pixels(open_dataset(folder), spec, cache)
        counts.append(len(list(cache.glob("*.npy"))))
    (folder / "cat" / "0.png").write_bytes((photos(1, seed=9) / "cat" / "0.png").read_bytes())
    changed = cached_pixels(open_dataset(folder), SPEC, cache)
    counts.append(len(list(cache.glob("*.npy"))))
    assert counts == [1, 2, 3, 4, 5]
    place = [item.ref for item in changed.images.items].index("cat/0.png")
    np.testing.assert_array_equal(changed.array[place], pixels(folder / "cat" / "0.png", SPEC))


def test_picture_that_does_not_decode_is_left_out_both_times(tmp_path: Path, photos: Photos) -> None:
    folder = photos(10)
    (folder / "cat" / "4.png").write_text("not a picture")
    for _ in range(2):
        cached = cached_pixels(open_dataset(folder), SPEC, tmp_path / "cache")
        assert cached.array.shape[0] == len(cached.images) == len(cached.labels) == 19
        (line,) = cached.images.skipped
        assert line.startswith("cat/4.png: ")
        for row, item in zip(cached.array, cached.images.items, strict=True):
            np.testing.assert_array_equal(row, pixels(folder / item.ref, SPEC))


def test_too_many_failures_leave_no_cache(tmp_path: Path, photos: Photos) -> None:
    folder = photos(5)
    for place in range(4):
        (folder / "cat" / f"{place}.png").write_text(f"not a picture {place}")
    with pytest.raises(DataError, match=r"At most 5%.*4 of 10"):
        cached_pixels(open_dataset(folder), SPEC, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_interrupt_leaves_no_cache(tmp_path: Path, photos: Photos) -> None:
    images = open_dataset(photos(6))

    def interrupt(event: Event, /) -> None:
        if event.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_pixels(images, SPEC, tmp_path / "cache", interrupt)
    assert not list((tmp_path / "cache").iterdir())
    assert len(cached_pixels(images, SPEC, tmp_path / "cache").array) == 12


@pytest.mark.parametrize("suffix", [".json", ".npy"])
def test_interrupt_at_a_rename_leaves_nothing_that_is_believed(
    tmp_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    images = open_dataset(photos(6))
    replace = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if str(target).endswith(suffix):
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("trainer.core.cache.os.replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cached_pixels(images, SPEC, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.tmp"))
    assert len(cached_pixels(images, SPEC, tmp_path / "cache").array) == 12


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04"])
def test_damaged_cache_is_made_anew(tmp_path: Path, photos: Photos, content: bytes) -> None:
    images = open_dataset(photos(6))
    whole = np.array(cached_pixels(images, SPEC, tmp_path / "cache").array)
    for suffix in (".npy", ".json"):
        (path,) = (tmp_path / "cache").glob(f"*{suffix}")
        path.write_bytes(content)
        np.testing.assert_array_equal(cached_pixels(images, SPEC, tmp_path / "cache").array, whole)


def test_cut_cache_is_made_anew(tmp_path: Path, photos: Photos) -> None:
    images = open_dataset(photos(6))
    whole = np.array(cached_pixels(images, SPEC, tmp_path / "cache").array)
    (path,) = (tmp_path / "cache").glob("*.npy")
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(cached_pixels(images, SPEC, tmp_path / "cache").array, whole)


def test_cache_lies_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "snapship" / "pixels"


def test_folder_that_cannot_be_made_is_a_one_line_error(tmp_path: Path, photos: Photos) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="pixel cache must be writable") as caught:
        cached_pixels(open_dataset(photos(2)), SPEC, tmp_path / "file" / "cache")
    assert "\n" not in str(caught.value)


KILLED = """
import os, signal, sys
from edge_runtime.dataset import open_dataset
from edge_runtime.image.input_spec import InputSpec
from trainer.core.cache import cached_pixels

def kill(event):
    if event.stage == "pixels" and event.done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

cached_pixels(open_dataset(sys.argv[1]), InputSpec(height=7, width=5), sys.argv[2], kill)
"""


def test_what_killed_decoding_left_is_removed_by_the_next_run(tmp_path: Path, photos: Photos) -> None:
    data, cache = photos(3), tmp_path / "cache"
    done = subprocess.run([sys.executable, "-c", KILLED, str(data), str(cache)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.suffix for path in cache.iterdir()] == [".tmp"]
    cached_pixels(open_dataset(data), SPEC, cache)
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]
