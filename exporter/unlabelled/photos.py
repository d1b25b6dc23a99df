"""A folder of photos without labels, opened as an image set whose items have no class."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.common.errors import DataError, UsageError, reason_of
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset import ImageSet
from edge_runtime.dataset.arrays import ARRAY_NAMES, is_idx_folder
from edge_runtime.dataset.files import DiskFiles, looks_like_image
from edge_runtime.dataset.labelled_files import from_files
from edge_runtime.dataset.layout import tree
from edge_runtime.dataset.table_rows import TABLE_SUFFIXES
from edge_runtime.image.preprocess import MAX_BYTES

_NO_CLASS = "photos without labels"
"""Stands in place of a class name, and in the message if not one of the photos can be read."""


def is_unlabelled(data: str | os.PathLike[str]) -> bool:
    """Whether DATA is a folder of photos without labels: images, no sub-folders, no table.

    Args:
        data: What ``--data`` was given; everything else is a labelled data set, or an error of one.

    Raises:
        DataError: The folder cannot be read.
    """
    name, path = os.fspath(data), Path(data)
    if not name or name == "digits" or name in ARRAY_NAMES:
        return False
    try:
        if not path.is_dir() or is_idx_folder(path):
            return False
    except (OSError, ValueError) as error:
        raise DataError(
            f"DATA must be readable. Received: {as_utf8(name)} ({reason_of(error)}). Check the path."
        ) from error
    return _photos(DiskFiles(path.absolute())) is not None


def open_unlabelled(data: str | os.PathLike[str]) -> ImageSet:
    """Opens a folder of photos without labels.

    Args:
        data: The folder.

    Returns:
        The set, sorted by name; its items have class 0, which means nothing.

    Raises:
        UsageError: It is something else.
        DataError: Too many of the photos cannot be read.
    """
    files = DiskFiles(Path(data).absolute())
    photos = _photos(files)
    if photos is None:
        raise not_unlabelled(data)
    others = tuple(f"{ref}: not an image" for ref in files.listing()[0] if ref not in photos)
    return from_files(files, (_NO_CLASS,), [(ref, 0, "val") for ref in photos], others, MAX_BYTES)


def not_unlabelled(data: str | os.PathLike[str] | None) -> UsageError:
    """The error for data that is asked about as if it had no labels.

    Args:
        data: What ``--data`` was given, if anything.
    """
    received = "no --data" if data is None else f"--data {as_utf8(os.fspath(data))}"
    if data is not None and not os.path.exists(data) and os.fspath(data) not in ("digits", *ARRAY_NAMES):
        received += ", which does not exist"
    return UsageError(
        "--ask and --answers need photos without labels: a folder of images, without sub-folders and without a "
        f"table. Received: {received}. Copy the photos into one folder and pass it, or leave the option out."
    )


def _photos(files: DiskFiles) -> list[str] | None:
    """The images of a flat folder, sorted; None if it is another kind of folder."""
    root = tree(*files.listing())
    if root.folders or any(name.lower().endswith(TABLE_SUFFIXES) for name in root.files):
        return None
    found = sorted(ref for ref in root.files.values() if looks_like_image(files, ref))
    return found or None
