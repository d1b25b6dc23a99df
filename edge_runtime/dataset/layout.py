"""Trees of folders, names of splits, and suffixes of images."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge_runtime.dataset.imageset import Split

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing")
VAL_NAMES = ("val", "valid", "validation", *TEST_NAMES)
"""Names of split folders, best first: a test folder beside val is ignored."""

IMAGE_SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".heic",
        ".heif",
        ".avif",
    )
)
"""Suffixes that claim to be an image, including formats that must be converted first."""

_IGNORED = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information",
     "lost+found", "@eadir", "#recycle", "__pycache__")
)  # fmt: skip
"""Files and folders that Windows, macOS, Linux, NAS systems and Python leave behind, in lower case."""


@dataclass(frozen=True)
class LabelledFiles:
    """The labelled files of class folders.

    Attributes:
        labels: Class names in order.
        files: ``(ref, label, split)``; split None to decide by content hash.
        skipped: Files that are not part of the set, as ``ref: reason``.
    """

    labels: tuple[str, ...]
    files: tuple[tuple[str, int, Split | None], ...]
    skipped: tuple[str, ...]


class Folder:
    """A folder: its sub-folders and files, by name.

    Attributes:
        folders: Sub-folders.
        files: Refs of its own files.
        images: Number of images among its own files; 0 before :meth:`count_images`.
        all_images: Number of images in it and below.
    """

    def __init__(self) -> None:
        """Makes an empty folder."""
        self.folders: dict[str, Folder] = {}
        self.files: dict[str, str] = {}
        self.images = 0
        self.all_images = 0

    def add(self, parts: Iterable[str]) -> Folder:
        """Returns the sub-folder at ``parts``, created if missing; names are normalized to NFC."""
        folder = self
        for part in parts:
            # macOS writes "é" as two code points, others as one: it is the same class.
            folder = folder.folders.setdefault(unicodedata.normalize("NFC", part), Folder())
        return folder

    def refs(self) -> list[str]:
        """Refs of all files below, sorted."""
        below = [ref for folder in self.folders.values() for ref in folder.refs()]
        return sorted([*self.files.values(), *below])

    def count_images(self, is_image: Callable[[str], bool]) -> int:
        """Counts the images here and below.

        Args:
            is_image: Whether a ref claims to be an image.
        """
        self.images = sum(is_image(ref) for ref in self.files.values())
        self.all_images = self.images + sum(folder.count_images(is_image) for folder in self.folders.values())
        return self.all_images

    def with_images(self) -> dict[str, Folder]:
        """Sub-folders that hold images, at any depth."""
        return {name: folder for name, folder in self.folders.items() if folder.all_images}


def is_ignored(parts: Iterable[str]) -> bool:
    """Whether a path is hidden or left behind by an operating system."""
    return any(part.startswith(".") or part.lower() in _IGNORED for part in parts)


def tree(files: Iterable[str], folders: Iterable[str]) -> Folder:
    """Builds a tree from relative paths (with ``/``).

    Args:
        files: Paths of files, which are also their refs.
        folders: Paths of folders, to include empty ones.
    """
    root = Folder()
    for path in folders:
        parts = PurePosixPath(path).parts
        if not is_ignored(parts):
            root.add(parts)
    for path in files:
        parts = PurePosixPath(path).parts
        if not is_ignored(parts):
            root.add(parts[:-1]).files[parts[-1]] = path
    return root
