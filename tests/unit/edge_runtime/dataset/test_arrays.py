"""Sets that are arrays: digits, IDX files, downloaded npz."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import DataError, SnapshipError
from edge_runtime.dataset import ARRAY_NAMES, array_file, open_dataset


def idx(array: np.ndarray[Any, Any]) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def pictures(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (count, 5, 4), dtype=np.uint8)


def write_idx(folder: Path, part: str, count: int, seed: int, zipped: bool = False, mark: str = "-") -> None:
    labels = np.arange(count) % 3
    for name, array in ((f"images{mark}idx3", pictures(count, seed)), (f"labels{mark}idx1", labels)):
        data = idx(array)
        suffix = ".gz" if zipped else ""
        (folder / f"{part}-{name}-ubyte{suffix}").write_bytes(gzip.compress(data) if zipped else data)


def test_digits() -> None:
    images = open_dataset("digits")
    assert len(images) == 1797
    assert images.labels == tuple("0123456789")
    assert images.native_size == (8, 8)
    assert images.gray
    assert (len(images.only("train")), len(images.only("val"))) == (1412, 385)
    content = images.read(images.items[0])
    assert isinstance(content, np.ndarray)
    assert content.dtype == np.uint8
    assert content.max() == 239
    assert images.sha256 == open_dataset("digits").sha256


@pytest.mark.parametrize(("zipped", "mark"), [(False, "-"), (True, "-"), (False, ".")])
def test_idx_files(tmp_path: Path, zipped: bool, mark: str) -> None:
    write_idx(tmp_path, "train", 12, 1, zipped, mark)
    write_idx(tmp_path, "t10k", 6, 2, zipped, mark)
    images = open_dataset(tmp_path)
    assert images.labels == ("0", "1", "2")
    assert images.counts()["0"] == {"train": 4, "val": 2}
    assert images.native_size == (5, 4)
    item = next(item for item in images.items if item.ref == "val/3")
    np.testing.assert_array_equal(images.read(item), pictures(6, 2)[3])


def test_idx_test_part_alone_is_split_by_content(tmp_path: Path) -> None:
    write_idx(tmp_path, "t10k", 60, 2)
    images = open_dataset(tmp_path)
    assert 4 <= len(images.only("val")) <= 25
    assert images.items[0].ref == "0"


def test_idx_damage_is_a_one_line_error(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", 6, 1)
    path = tmp_path / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    cases = {
        whole[:-1]: "unsigned bytes in 3 dimensions",
        b"": "unsigned bytes in 3 dimensions",
        idx(np.zeros((2, 2))): "unsigned bytes in 3 dimensions",
        idx(pictures(5)): "5 images, 6 labels",
        b"\0\0\x0d" + whole[3:]: "unsigned bytes",
    }
    for content, words in cases.items():
        path.write_bytes(content)
        with pytest.raises(DataError, match=words) as caught:
            open_dataset(tmp_path)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(DataError, match="must come in pairs"):
        open_dataset(tmp_path)


def test_idx_of_one_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(pictures(4)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(4)))
    with pytest.raises(DataError, match="at least two classes"):
        open_dataset(tmp_path)


def test_idx_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", 6, 1, zipped=True)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"plain")
    with pytest.raises(DataError, match="unsigned bytes"):
        open_dataset(tmp_path)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data cache of its own; the folder of the sets in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = array_file("mnist").parent
    folder.mkdir(parents=True)
    assert folder.is_relative_to(tmp_path)
    return folder


def colour_set(**changed: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    parts = {"x_train": random.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8),
             "y_train": np.arange(20).reshape(-1, 1) % 10,
             "x_test": random.integers(0, 256, (10, 8, 8, 3), dtype=np.uint8),
             "y_test": np.arange(10).reshape(-1, 1)}  # fmt: skip
    return parts | changed


def test_downloaded_set(cache: Path) -> None:
    parts = colour_set()
    np.savez_compressed(cache / "cifar10.npz", **parts)
    images = open_dataset("cifar10")
    assert images.labels == ARRAY_NAMES["cifar10"]
    assert images.counts()["frog"] == {"train": 2, "val": 1}
    assert images.native_size == (8, 8)
    assert not images.gray
    np.testing.assert_array_equal(images.read(images.items[3]), parts["x_train"][3])


def test_set_that_was_not_downloaded_says_how_to_get_it(cache: Path) -> None:
    with pytest.raises(DataError, match="snapship train fashion_mnist"):
        open_dataset("fashion_mnist")


@pytest.mark.parametrize(
    "changed",
    [
        {"x_train": np.zeros((20, 8, 8, 3), np.float32)},
        {"y_test": np.full(10, 10)},
        {"y_test": np.full(10, -1)},
        {"y_test": np.zeros(9, int)},
        {"x_test": np.zeros((0, 8, 8, 3), np.uint8), "y_test": np.zeros(0, int)},
    ],
)
def test_downloaded_set_of_the_wrong_kind_is_refused(cache: Path, changed: dict[str, Any]) -> None:
    np.savez_compressed(cache / "cifar10.npz", **colour_set(**changed))
    with pytest.raises(DataError, match="must be intact"):
        open_dataset("cifar10")


def test_damaged_download_is_refused(cache: Path) -> None:
    np.savez_compressed(cache / "cifar10.npz", **colour_set())
    whole = (cache / "cifar10.npz").read_bytes()
    for content in (b"", b"not a zip", whole[:-30], whole[: len(whole) // 2]):
        (cache / "cifar10.npz").write_bytes(content)
        with pytest.raises(SnapshipError, match="must be intact"):
            open_dataset("cifar10")
