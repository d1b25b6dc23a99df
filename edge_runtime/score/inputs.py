"""From the arguments of ``snapship score`` to photos, in order: each kind of input is listed here, none is read."""

from __future__ import annotations

import glob
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from edge_runtime.common.errors import DataError, UsageError, reason_of
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset.files import ZipFiles
from edge_runtime.dataset.layout import IMAGE_SUFFIXES, is_ignored
from edge_runtime.image_inputs import STDIN, image_files, is_url
from edge_runtime.score.lists import LIST_SUFFIXES, listed_paths
from edge_runtime.score.parquet_input import parquet_photos
from edge_runtime.score.photos import Photo
from edge_runtime.score.storage import Storage

PARQUET_SUFFIXES = (".parquet", ".pq")
_PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def photos_of(inputs: Sequence[str], storage: Storage, column: str | None = None) -> Iterator[Photo]:
    """Lists the photos of all inputs, in the order of the inputs.

    Args:
        inputs: Images, folders, patterns, lists (``.txt``, ``.csv``, ``.tsv``), archives (``.zip``, ``.tar``),
            Parquet files, and addresses of ``s3://`` objects or prefixes of any of these.
        storage: Reads what is not on this disk.
        column: The column of a list or a Parquet file; None finds it.

    Yields:
        Photos; those of a folder or a prefix sorted by name, those of the others in their own order.

    Raises:
        DataError: An input does not exist, cannot be read, or holds no image.
        UsageError: An input is not of these kinds.
        EnvironmentMissingError: An input needs pyarrow, which is not installed.
    """
    for given in inputs:
        if given == STDIN:
            raise UsageError("An input of score must be a file. Received: -. Save the photo to a file.")
        if given.startswith("s3://"):
            yield from _of_s3(given, storage, column)
        elif (kind := _kind(given)) and not os.path.isdir(given):
            yield from _of_file(given, kind, storage, column)
        else:
            yield from _of_disk(given, storage, column)


def _kind(name: str) -> str:
    """``list``, ``zip``, ``tar``, ``parquet``, or empty for what is listed as a photo."""
    lower = name.lower()
    if lower.endswith(_PACKED_TARS):
        raise UsageError(
            f"A tar must not be compressed, so that a shard may begin anywhere in it. Received: {name}. "
            "Unpack it to .tar."
        )
    suffix = PurePosixPath(lower).suffix
    kinds = {".zip": "zip", ".tar": "tar"}
    kinds |= dict.fromkeys(LIST_SUFFIXES, "list") | dict.fromkeys(PARQUET_SUFFIXES, "parquet")
    return kinds.get(suffix, "")


def _of_file(name: str, kind: str, storage: Storage, column: str | None) -> Iterator[Photo]:
    if glob.has_magic(name) and not os.path.lexists(name):
        for match in image_files([name]):
            yield from _of_file(match, kind, storage, column)
    elif kind == "list":
        with storage.opened(name) as file:
            for path in listed_paths(name, file, column):
                yield Photo(path, None if path.startswith("s3://") else _size(path))
    elif kind == "parquet":
        yield from parquet_photos(name, storage, column)
    elif is_url(name):
        raise UsageError(
            f"An archive must be on this disk. Received: {name}. Unpack it into a prefix, or download it first."
        )
    elif kind == "zip":
        yield from _of_zip(name)
    else:
        yield from _of_tar(name)


def _of_disk(given: str, storage: Storage, column: str | None) -> Iterator[Photo]:
    """A folder, a pattern or a file on disk; a folder of Parquet files alone is all of their rows."""
    try:
        paths = image_files([given])
    except DataError:
        # Of tables; beside photos, a table is no input.
        tables = _tables(given) if os.path.isdir(given) else []
        if not tables:
            raise
        for table in tables:
            yield from parquet_photos(table, storage, column)
        return
    for path in paths:
        yield Photo(path, _size(path))


def _tables(folder: str) -> list[str]:
    names = sorted(os.listdir(folder))
    found = [
        name for name in names if name.lower().endswith(PARQUET_SUFFIXES) and not name.startswith((".", "_"))
    ]
    return [os.path.join(folder, name) for name in found]


def _of_s3(address: str, storage: Storage, column: str | None) -> Iterator[Photo]:
    found = 0
    for name, size in storage.listing(address):
        parts = PurePosixPath(name.removeprefix(address)).parts
        if is_ignored(parts) or any(part.startswith("_") for part in parts):
            continue
        if kind := _kind(name):
            found += 1
            yield from _of_file(name, kind, storage, column)
        elif PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES or name == address:
            found += 1
            yield Photo(name, size)
    if not found:
        raise DataError(f"A prefix must hold images. Received: {address}, none below it. Check the address.")


def _of_zip(name: str) -> Iterator[Photo]:
    if not os.path.isfile(name):
        raise _missing(name)
    files = ZipFiles(Path(name))
    members = [ref for ref in files.listing()[0] if _is_image(ref)]
    if not members:
        raise _without_images(name)
    for ref in members:
        yield Photo(name, files.size(ref), member=ref)


def _of_tar(name: str) -> Iterator[Photo]:
    found = 0
    try:
        # "r:" rather than "r", which would also unpack, and then every shard from the beginning.
        with tarfile.open(name, "r:") as archive:
            for info in archive:
                parts = PurePosixPath(info.name).parts
                if info.isreg() and not info.issparse() and _is_image(info.name) and not is_ignored(parts):
                    found += 1
                    yield Photo(name, info.size, member=as_utf8(info.name), offset=info.offset_data)
                # It would keep every member it has seen.
                archive.members = []  # type: ignore[attr-defined]
    except FileNotFoundError as error:
        raise _missing(name) from error
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"A .tar must be an intact, uncompressed archive. Received: {name} ({reason_of(error)}). "
            "Pack the photos again."
        ) from error
    if not found:
        raise _without_images(name)


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        # Reading it says why; its row does.
        return None


def _missing(name: str) -> DataError:
    return DataError(f"An input must exist. Received: {name}. Check the path.")


def _without_images(name: str) -> DataError:
    return DataError(f"An archive must hold images. Received: {name}, none in it. Check the file.")
