"""One way to open every DATA form."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.dataset.arrays import ARRAY_NAMES, is_idx_folder, open_digits, open_downloaded, open_idx
from edge_runtime.dataset.files import DiskFiles, ZipFiles
from edge_runtime.dataset.folders import from_class_folders
from edge_runtime.dataset.imageset import ImageSet
from edge_runtime.dataset.layout import as_utf8, tree
from edge_runtime.dataset.table import from_csv
from edge_runtime.errors import BundleError, DataError
from edge_runtime.labels import validated
from edge_runtime.lookup import is_there
from edge_runtime.preprocess import MAX_BYTES

FORMS = (
    "a folder with train/ and val/ of class folders, one folder of class folders, a .zip of either, "
    "a .csv of path,label, a folder of IDX files, or one of digits, mnist, fashion_mnist, cifar10"
)
"""What DATA may be, in words."""


def open_dataset(data: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> ImageSet:
    """Opens a labelled image set; no image is decoded yet.

    Args:
        data: One of :data:`FORMS`.
        max_bytes: Larger image files are skipped.

    Returns:
        The set, every image hashed and in a split.

    Raises:
        DataError: There is nothing of the kind, or it cannot be used; the message says why.
        EnvironmentMissingError: ``digits`` without scikit-learn.
    """
    images = _open(os.fspath(data), max_bytes)
    _check_names(images)
    return images


def _open(name: str, max_bytes: int) -> ImageSet:
    # A known name wins over a folder of that name; write ./digits for the folder.
    if name == "digits":
        return open_digits()
    if name in ARRAY_NAMES:
        return open_downloaded(name)
    if not name:
        raise DataError(f"DATA must be named. Received: an empty text. Use {FORMS}.")
    path = Path(name).absolute()
    try:
        if path.is_dir():
            return _open_folder(path, max_bytes)
        if not is_there(path):
            raise DataError(f"DATA must exist. Received: {name!r}. Use {FORMS}.")
        suffix = path.suffix.lower()
        if suffix == ".zip":
            files = ZipFiles(path)
            return from_class_folders(files, tree(*files.listing()), max_bytes)
        if suffix in (".csv", ".tsv"):
            return from_csv(path, max_bytes)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"DATA must be readable. Received: {name!r} ({reason}). Check the path.") from error
    raise DataError(f"DATA must be a folder, a .zip or a .csv. Received: the file {path}. Use {FORMS}.")


def _check_names(images: ImageSet) -> None:
    """Refuses class names now that a run or a labels.txt could not hold later."""
    try:
        validated(images.labels, images.source)
    except BundleError as error:
        raise DataError(str(error)) from error
    wrong = [name for name in images.labels if as_utf8(name) != name]
    if wrong:
        raise DataError(
            f"A class name must be UTF-8. Received: {as_utf8(wrong[0])} in {images.source}. "
            "Rename that folder."
        )


def _open_folder(path: Path, max_bytes: int) -> ImageSet:
    if is_idx_folder(path):
        return open_idx(path)
    files = DiskFiles(path)
    names, folders = files.listing()
    tables = [name for name in names if name.lower().endswith(".csv")]
    if not folders and len(tables) == 1:
        return from_csv(path / tables[0], max_bytes)
    return from_class_folders(files, tree(names, folders), max_bytes)
