"""Opens every form of DATA."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

from edge_runtime.bundle.labels import settled, validated
from edge_runtime.common.atomic_file import is_there
from edge_runtime.common.errors import BundleError, DataError, reason_of
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset.arrays import ARRAY_NAMES, is_idx_folder, open_digits, open_downloaded, open_idx
from edge_runtime.dataset.class_folders import read_class_folders
from edge_runtime.dataset.files import DiskFiles, Files, ZipFiles
from edge_runtime.dataset.imageset import ImageSet
from edge_runtime.dataset.labelled_files import from_files
from edge_runtime.dataset.layout import Folder, tree
from edge_runtime.dataset.sidecar_tables import check_tables_agree, open_tables, table_of
from edge_runtime.dataset.table import from_csv
from edge_runtime.dataset.table_rows import TABLE_SUFFIXES
from edge_runtime.image.preprocess import MAX_BYTES

FORMS = (
    "a folder with train/ and val/ of class folders, one folder of class folders, a .zip of either, "
    "a .csv or .jsonl table of paths and labels, a folder of IDX files, or one of digits, mnist, fashion_mnist, cifar10"
)
"""The forms of DATA, in words."""


def open_dataset(data: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> ImageSet:
    """Opens a labelled image set; no image is decoded yet.

    Args:
        data: One of :data:`FORMS`.
        max_bytes: Larger image files are skipped.

    Returns:
        The set, with every image hashed and assigned to a split.

    Raises:
        DataError: It does not exist or cannot be used; the message says why.
        EnvironmentMissingError: ``digits`` without scikit-learn.
    """
    return _with_settled_names(_open(os.fspath(data), max_bytes))


def _open(name: str, max_bytes: int) -> ImageSet:
    # A known name takes precedence over a folder of that name, which is ./digits.
    if name == "digits":
        return open_digits()
    if name in ARRAY_NAMES:
        return open_downloaded(name)
    if not name:
        raise DataError(f"DATA must not be empty. Received: an empty text. Use {FORMS}.")
    path = Path(name).absolute()
    try:
        if path.is_dir():
            return _open_folder(path, max_bytes)
        if not is_there(path):
            raise DataError(f"DATA must exist. Received: {name!r}. Use {FORMS}.")
        suffix = path.suffix.lower()
        if suffix == ".zip":
            return _open_zip(path, max_bytes)
        if suffix in TABLE_SUFFIXES:
            return from_csv(path, max_bytes)
    except (OSError, ValueError) as error:
        raise DataError(
            f"DATA must be readable. Received: {name!r} ({reason_of(error)}). Check the path."
        ) from error
    raise DataError(f"DATA must be a folder, a .zip or a .csv. Received: the file {path}. Use {FORMS}.")


def _with_settled_names(images: ImageSet) -> ImageSet:
    """Normalizes class names as a run and a labels.txt will store them, or rejects them."""
    labels = tuple(map(settled, images.labels))
    if len(set(labels)) < len(set(images.labels)):
        double = next(label for label in labels if labels.count(label) > 1)
        raise DataError(
            f"Class names must differ in more than white space. Received: {double!r} twice in {images.source}. "
            "Correct one of the two."
        )
    images = replace(images, labels=labels)
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
    return images


def _open_folder(path: Path, max_bytes: int) -> ImageSet:
    if is_idx_folder(path):
        return open_idx(path)
    files = DiskFiles(path)
    root = tree(*files.listing())
    if not root.folders and (table := table_of(root)) is not None:
        return from_csv(path / table, max_bytes)
    return _open_tree(files, root, max_bytes)


def _open_zip(path: Path, max_bytes: int) -> ImageSet:
    archive = ZipFiles(path)
    try:
        return _open_tree(archive, tree(*archive.listing()), max_bytes)
    except DataError as error:
        if "snapship train" not in str(error):
            raise
        # The suggested commands refer to the unpacked folder.
        unpack = f"unzip {shlex.quote(archive.source)} -d {shlex.quote(archive.folder)}"
        raise DataError(f"{error} (unpacked before: {as_utf8(unpack)})") from error


def _open_tree(files: Files, root: Folder, max_bytes: int) -> ImageSet:
    try:
        layout = read_class_folders(root, files)
    except DataError as unclear:
        return open_tables(files, root, max_bytes, unclear)
    check_tables_agree(files, root, layout)
    if isinstance(files, ZipFiles):
        _check_code_page(files, layout.labels)
    return from_files(files, layout.labels, layout.files, layout.skipped, max_bytes)


def _check_code_page(files: ZipFiles, labels: tuple[str, ...]) -> None:
    """Rejects class names of a zip that depend on its code page."""
    for name, raw in files.unsure.items():
        if settled(name) in labels:
            raise DataError(
                f"Class names in a zip must be UTF-8. Received: {name} in {files.source}, which is "
                f"{raw.decode('cp437')} in code page 437 and other letters in others. Unpack the archive and pass the "
                "folder, or zip it with UTF-8 names."
            )
