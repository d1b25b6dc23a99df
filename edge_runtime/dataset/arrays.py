"""Image sets from arrays: digits, IDX files, and the downloaded sets."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.common.errors import DataError, EnvironmentMissingError
from edge_runtime.common.user_folder import user_folder
from edge_runtime.dataset.imageset import ImageSet, Item, Split, by_content
from edge_runtime.image.preprocess import UInt8Array

_TEN = tuple(str(digit) for digit in range(10))

ARRAY_NAMES: dict[str, tuple[str, ...]] = {
    "mnist": _TEN,
    # https://github.com/zalandoresearch/fashion-mnist#labels
    "fashion_mnist": ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
                      "Bag", "Ankle boot"),
    # https://www.cs.toronto.edu/~kriz/cifar.html
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip
"""Downloadable sets and their class names in the published order."""

_IDX_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx([31])-ubyte(\.gz)?")
_Array = np.ndarray[Any, np.dtype[Any]]
_Parts = dict[str, tuple[UInt8Array, _Array]]


def array_file(name: str) -> Path:
    """Path of a downloaded set, in ``snapship/datasets`` below ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Args:
        name: One of :data:`ARRAY_NAMES`.

    Raises:
        UsageError: There is neither the variable nor a home folder.
    """
    return user_folder("XDG_CACHE_HOME", ".cache") / "datasets" / f"{name}.npz"


def open_digits() -> ImageSet:
    """Opens scikit-learn's handwritten digits: 1,797 images, 8x8, 17 levels of gray.

    Raises:
        EnvironmentMissingError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("The data set digits", "scikit-learn", "train") from error
    bunch = load_digits()
    # 16 is the highest level: 16 -> 255.
    images = np.rint(bunch.images * (255.0 / 16.0)).astype(np.uint8)
    return _image_set("digits", _TEN, {"": (images, bunch.target)})


def open_downloaded(name: str) -> ImageSet:
    """Opens a downloaded set.

    Args:
        name: One of :data:`ARRAY_NAMES`.

    Raises:
        DataError: It was not downloaded yet, or is damaged.
    """
    path = array_file(name)
    if not path.is_file():
        raise DataError(
            f"The data set {name} must be downloaded first. Received: no file {path}. "
            f"Run: snapship train {name} --model small_cnn --out RUN (with a network)"
        )
    count = len(ARRAY_NAMES[name])
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = {
                "train": (stored["x_train"], stored["y_train"].reshape(-1)),
                "val": (stored["x_test"], stored["y_test"].reshape(-1)),
            }
        for images, targets in parts.values():
            if images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
                raise ValueError(f"{images.dtype} images of shape {images.shape}")
            if targets.dtype.kind not in "iu" or not 0 <= targets.min() <= targets.max() < count:
                raise ValueError(f"labels that are not 0 to {count - 1}")
        return _image_set(name, ARRAY_NAMES[name], parts)
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"A downloaded data set must be intact. Received: {path} ({error}). Delete it and train again."
        ) from error


def is_idx_folder(root: Path) -> bool:
    """Whether a folder holds IDX files with MNIST's names."""
    return any(_IDX_NAME.fullmatch(entry.name) for entry in root.iterdir())


def open_idx(root: Path) -> ImageSet:
    """Opens IDX files with MNIST's names, plain or gzip; t10k is val.

    If only one of the two parts exists, it is split by content hash.

    Args:
        root: The folder.

    Raises:
        DataError: A file is missing, damaged, or its counts do not match.
    """
    found: dict[tuple[str, str], Path] = {}
    for entry in sorted(root.iterdir()):
        if match := _IDX_NAME.fullmatch(entry.name):
            found.setdefault((match[1], match[2]), entry)
    parts: _Parts = {}
    for part in ("train", "t10k"):
        pair = found.get((part, "images")), found.get((part, "labels"))
        if pair == (None, None):
            continue
        if pair[0] is None or pair[1] is None:
            raise DataError(
                f"IDX images and labels must come in pairs. Received: only one of them for {part} in {root}. "
                f"Add {part}-images-idx3-ubyte and {part}-labels-idx1-ubyte."
            )
        images, labels = _read_idx(pair[0], 3), _read_idx(pair[1], 1)
        if len(images) != len(labels) or not len(images):
            raise DataError(
                f"IDX images and labels must have equal counts. Received: {len(images)} images, {len(labels)} "
                f"labels for {part} in {root}. Download them again."
            )
        parts[{"train": "train", "t10k": "val"}[part]] = images, labels
    count = 1 + max(int(labels.max()) for _, labels in parts.values())
    if count < 2:
        raise DataError(
            f"DATA must have at least two classes. Received: label 0 alone in {root}. Download it again."
        )
    if len(parts) == 1:
        parts = {"": next(iter(parts.values()))}
    return _image_set(str(root), tuple(str(index) for index in range(count)), parts)


def _read_idx(path: Path, dimensions: int) -> UInt8Array:
    """Reads one IDX file; the format is described at yann.lecun.com/exdb/mnist."""
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        zeros, kind, rank = struct.unpack_from(">HBB", data)
        shape = struct.unpack_from(f">{rank}I", data, 4)
        if (zeros, kind, rank) != (0, 8, dimensions) or 0 in shape:
            raise ValueError(f"header {data[:4].hex()}, shape {list(shape)}")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise DataError(
            f"An IDX file must hold unsigned bytes in {dimensions} dimensions. Received: {path} ({error}). "
            "Download it again."
        ) from error


def _image_set(source: str, labels: tuple[str, ...], parts: _Parts) -> ImageSet:
    """Builds a set from arrays; the part named "" is split by content."""
    arrays: dict[str, UInt8Array] = {}
    items: list[Item] = []
    unsplit: list[tuple[str, int, str]] = []
    sides: dict[str, Split] = {"train": "train", "val": "val"}
    for part, (images, targets) in parts.items():
        for place, (image, target) in enumerate(zip(images, targets, strict=True)):
            ref = f"{part}/{place}" if part else str(place)
            arrays[ref] = image
            sha256 = hashlib.sha256(image.tobytes()).hexdigest()
            if part:
                items.append(Item(ref, int(target), sides[part], sha256))
            else:
                unsplit.append((ref, int(target), sha256))
    first = next(iter(arrays.values()))
    return ImageSet(
        source=source,
        labels=labels,
        items=(*items, *by_content(unsplit)),
        reader=lambda item: arrays[item.ref],
        native_size=(int(first.shape[0]), int(first.shape[1])),
        gray=first.ndim == 2,
    )
