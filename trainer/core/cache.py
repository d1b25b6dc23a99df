"""The pixel cache: every image is decoded once, however often it is trained on.

All pixels come from :func:`edge_runtime.image.preprocess.pixels`, so training sees what the device
sees. They are stored in one memory-mapped uint8 array, named by a hash of its sources. Known data
sets are downloaded with Keras first, to where ``edge_runtime.dataset`` looks for them.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
import numpy as np
import PIL

from edge_runtime.common.errors import DataError, EnvironmentMissingError, SnapshipError, first_line
from edge_runtime.common.temporary import temporary_file
from edge_runtime.common.user_folder import user_folder
from edge_runtime.dataset import ARRAY_NAMES, ImageSet, array_file, decode_all
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array
from trainer.core.backend import load_keras
from trainer.progress import Event, Progress, silent

_FORMAT = 2
"""Part of every file name; increase it when the format changes."""

Int64Array = np.ndarray[Any, np.dtype[np.int64]]
_Error = TypeVar("_Error", bound=SnapshipError)


@dataclass(frozen=True)
class Pixels:
    """Decoded images.

    Attributes:
        images: The data set, without images that cannot be decoded.
        array: uint8 ``[len(images), height, width, channels]``, mapped from disk, read-only.
        labels: int64 ``[len(images)]``.
    """

    images: ImageSet
    array: UInt8Array
    labels: Int64Array

    def only(self, split: str) -> Int64Array:
        """Returns the indices of the images of a split, int64.

        Args:
            split: ``train`` or ``val``.
        """
        return np.flatnonzero([item.split == split for item in self.images.items]).astype(np.int64)


@dataclass(frozen=True)
class CacheFiles:
    """The two files of a data set in the cache.

    Attributes:
        array: The pixels, ``.npy``; written last.
        note: Which images do not decode, and why, ``.json``.
    """

    array: Path
    note: Path

    @classmethod
    def of(cls, images: ImageSet, spec: InputSpec, cache_dir: str | os.PathLike[str] | None) -> CacheFiles:
        """The files of a data set; they may not exist.

        Args:
            images: The data set.
            spec: The model's input.
            cache_dir: The cache folder; None for :func:`default_cache_dir`.
        """
        folder = Path(cache_dir) if cache_dir is not None else default_cache_dir()
        stem = _key(images, spec)
        return cls(folder / f"{stem}.npy", folder / f"{stem}.json")

    def load(self, images: ImageSet, spec: InputSpec) -> Pixels | None:
        """What was stored earlier; None if it is missing or damaged.

        Args:
            images: The data set.
            spec: The model's input.
        """
        try:
            failures = msgspec.json.decode(self.note.read_bytes(), type=dict[int, str])
            # Not np.load, which would try to read a damaged file as a zip or a pickle.
            array: UInt8Array = np.lib.format.open_memmap(self.array, mode="r")
        except (OSError, ValueError, EOFError, msgspec.MsgspecError):
            return None
        if array.dtype != np.uint8 or array.shape != (len(images) - len(failures), *spec.shape):
            return None
        kept = without_failures(images, failures)
        return Pixels(kept, array, np.array([item.label for item in kept.items], np.int64))

    def write_note(self, failures: Mapping[int, str]) -> None:
        """Writes the note, whole or not at all.

        Args:
            failures: Why images do not decode, by their place in the set.

        Raises:
            OSError: The folder cannot be written.
        """
        with temporary_file(self.note.parent) as made:
            made.file.write(msgspec.json.encode(failures))
            made.move_to(self.note)


def default_cache_dir() -> Path:
    """Returns ``snapship/pixels`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "pixels"


def cached_pixels(
    images: ImageSet,
    spec: InputSpec,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> Pixels:
    """Returns the pixels of a data set, from the cache if possible.

    Args:
        images: The data set; images that cannot be decoded are left out of the result.
        spec: The model's input.
        cache_dir: The cache folder; None for :func:`default_cache_dir`.
        progress: Progress callback, called for every image decoded.

    Raises:
        DataError: Too many images cannot be decoded, or the folder cannot be written.
    """
    files = CacheFiles.of(images, spec, cache_dir)
    found = files.load(images, spec)
    if found is None:
        try:
            _store(images, spec, files, progress)
        except OSError as error:
            raise unwritable(DataError, "pixel cache", files.array.parent, error) from error
        found = files.load(images, spec)
        if found is None:
            raise DataError(f"The pixel cache must be readable. Received: {files.array}. Delete it.")
    return found


def _key(images: ImageSet, spec: InputSpec) -> str:
    """Name of the cache file: a hash of the contents in order, the input and the decoder's version."""
    # The default resize is left out, so that older cache files keep their names.
    resize = "" if spec.resize == "antialiased" else f" {spec.resize}"
    digest = hashlib.sha256(f"{_FORMAT} {PIL.__version__} {spec.shape} {spec.fit}{resize}\n".encode())
    for item in images.items:
        digest.update(item.sha256.encode())
    return digest.hexdigest()[:32]


def _store(images: ImageSet, spec: InputSpec, files: CacheFiles, progress: Progress) -> None:
    """Decodes everything into a temporary file and renames it when complete."""
    files.array.parent.mkdir(parents=True, exist_ok=True)
    failures: dict[int, str] = {}
    total = len(images)
    with temporary_file(files.array.parent) as made:
        write_header(made.file, total, spec)
        progress(Event("pixels", 0, total, decoding_text(total, spec)))
        for index, (_, result) in enumerate(decode_all(images, spec)):
            if isinstance(result, str):
                failures[index] = result
            else:
                made.file.write(result.tobytes())
            progress(Event("pixels", index + 1, total))
        # Raises if too many images failed, before anything is stored.
        without_failures(images, failures)
        made.file.seek(0)
        write_header(made.file, total - len(failures), spec)
        files.write_note(failures)
        made.move_to(files.array)


def decoding_text(images: int, spec: InputSpec) -> str:
    """What is done, for people."""
    return f"decoding {images} images to {spec.width}x{spec.height}"


def without_failures(images: ImageSet, failures: Mapping[int, str]) -> ImageSet:
    """The images that decode.

    Args:
        images: The data set.
        failures: Why others do not, by their place in the set.

    Raises:
        DataError: Too many do not.
    """
    return images.without({images.items[index].ref: reason for index, reason in failures.items()})


def write_header(file: BinaryIO, count: int, spec: InputSpec) -> None:
    """Writes the header of the array; it leaves room for any count, so it can be corrected at the end.

    Args:
        file: The file, at its beginning.
        count: Images.
        spec: The model's input.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *spec.shape)}
    np.lib.format.write_array_header_1_0(file, header)


def ensure_downloaded(data: str | os.PathLike[str], progress: Progress = silent) -> None:
    """Downloads a known data set once; does nothing for any other data.

    Args:
        data: The user's DATA argument.
        progress: Progress callback, called when a download starts.

    Raises:
        EnvironmentMissingError: Keras or the network is missing, or the cache cannot be written.
    """
    name = os.fspath(data)
    if name not in ARRAY_NAMES or array_file(name).is_file():
        return
    progress(Event("data", 0, 0, f"downloading {name}"))
    keras = load_keras()
    source = importlib.import_module(f"{keras.__name__}.datasets.{name}")
    try:
        # Keras prints its progress bar to stdout, which is reserved for results.
        with redirect_stdout(sys.stderr):
            (x_train, y_train), (x_test, y_test) = source.load_data()
    # Keras raises a bare Exception when a download fails.
    except Exception as error:
        raise EnvironmentMissingError(
            f"The data set {name} must be downloaded once. Received: {first_line(error)}. "
            "Connect to a network, or use digits or your own folder."
        ) from error
    path = array_file(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path.parent) as made:
            np.savez_compressed(made.file, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
            made.move_to(path)
    except OSError as error:
        raise unwritable(EnvironmentMissingError, "data cache", path.parent, error) from error


def unwritable(kind: type[_Error], cache: str, folder: Path, error: OSError) -> _Error:
    """Returns the error for a cache that cannot be written.

    Args:
        kind: Its class.
        cache: What could not be written, for the message.
        folder: Where it is.
        error: The cause.
    """
    return kind(
        f"The {cache} must be writable. Received: {folder} ({error.strerror or error}). "
        "Free some space, or set XDG_CACHE_HOME to another folder."
    )
