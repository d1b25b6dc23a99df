"""Trees of folders, and hints from their names: a split, a fold, a place for images.

A name alone proves nothing: its readers also check what the folder holds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from operator import or_
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from edge_runtime.dataset.imageset import Split

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing")
VAL_NAMES = ("val", "valid", "validation", *TEST_NAMES)
"""Names of split folders, best first: a test folder beside val is ignored."""

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
     ".heic", ".heif", ".avif")
)  # fmt: skip
"""Suffixes that claim to be an image, including formats that must be converted first."""

_IGNORED = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information",
     "lost+found", "@eadir", "#recycle", "__pycache__")
)  # fmt: skip
"""Files and folders that Windows, macOS, Linux, NAS systems and Python leave behind, in lower case."""

Role = Literal["train", "val", "test"]

_ROLES: dict[str, Role] = {
    **dict.fromkeys(VAL_NAMES, "val"),
    **dict.fromkeys(TEST_NAMES, "test"),
    **dict.fromkeys((*TRAIN_NAMES, "trainval"), "train"),
}
_SPLIT_WORD = re.compile(
    rf"({'|'.join(sorted(_ROLES, key=len, reverse=True))})(?:sets?|data|images?|imgs?|folder)?"
)
_NEUTRAL = re.compile(
    r"sets?|data|datasets?|images?|imgs?|photos?|pictures?|pics|folders?|splits?|subsets?|v|\d+"
)
"""Words that do not distinguish splits or classes: ``training_set``, ``train_2024``."""

_UNLABELLED = re.compile(r"pred|predict|predictions?|unlabell?ed|unknown|inference|submission")
_PLACES = re.compile(r"images?|imgs?|photos?|pictures?|pics|jpe?gs?|png|jpegimages|data|dataset")
_COMPANIONS = re.compile(
    r"annotations?|labels?|masks?|trimaps?|segmentations?|groundtruth|gt|bbox(es)?|box(es)?|xmls?|jsons?|txt|"
    r"meta|metadata"
)
"""Companions of images in sets for detection or segmentation."""

_STORES = re.compile(r"(.*\b)?(k?folds?|cv|splits?|shards?|chunks?|images?|imgs?|images? part) ?\d+")
"""Numbered parts of one set, such as ``fold_0`` and ``images_part_2``, whatever they hold."""

_PARTS = re.compile(r"(.*\b)?(parts?|batch(es)?|subsets?|sets?|groups?|folders?|sessions?|runs?) ?\d+")
"""The same, but also possible class names: parts only if each holds the same class folders."""


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


class SplitName(NamedTuple):
    """A name that may denote a split.

    Attributes:
        role: The split.
        rest: The other significant words, such as ``seg`` in ``seg_train``; mostly empty.
    """

    role: Role
    rest: str


def split_name(name: str) -> SplitName | None:
    """Parses the name of a split.

    Args:
        name: A folder's name, such as ``Training_Set``, ``seg_test`` or ``val2017``.

    Returns:
        The split; None if no word or several words name one: ``contest``, ``train_val_split``.
    """
    found: list[Role] = []
    rest = []
    # In any case: a name such as tRAIN is one word.
    for word in [name.lower()] if name.lower() in _ROLES else _words(name):
        if (match := _SPLIT_WORD.fullmatch(word)) is not None:
            found.append(_ROLES[match[1]])
        elif _NEUTRAL.fullmatch(word) is None:
            rest.append(word)
    return SplitName(found[0], " ".join(rest)) if len(found) == 1 else None


def without_neutral(name: str) -> str:
    """The significant words, as in :attr:`SplitName.rest`: ``rps`` of ``rps-images-2``."""
    return " ".join(word for word in _words(name) if _NEUTRAL.fullmatch(word) is None)


def is_train(name: str) -> bool:
    """Whether a folder or table has the name of a train split, alone or in a pair."""
    side = split_name(name)
    return side is not None and side.role == "train"


def says_unlabelled(name: str) -> bool:
    """Whether a name is used for unlabelled images, such as ``seg_pred``."""
    return any(_UNLABELLED.fullmatch(word) for word in _words(name))


def is_place(name: str) -> bool:
    """Whether a name only says that there are images, such as ``images``."""
    return _PLACES.fullmatch("".join(_words(name))) is not None


def are_parts(names: Collection[str]) -> bool:
    """Whether all names are numbered folds or parts of one set."""
    return len(names) > 1 and all(_STORES.fullmatch(" ".join(_words(name))) for name in names)


def may_be_parts(names: Collection[str]) -> bool:
    """Whether all names are numbered, but also possible class names: ``batch_1``."""
    return len(names) > 1 and all(_PARTS.fullmatch(" ".join(_words(name))) for name in names)


def are_images_and_companions(names: Collection[str]) -> bool:
    """Whether the names are those of images and their companions, such as masks or boxes."""
    joined = ["".join(_words(name)) for name in names]
    places = [bool(_PLACES.fullmatch(name)) for name in joined]
    companions = [bool(_COMPANIONS.fullmatch(name)) for name in joined]
    return any(places) and any(companions) and all(map(or_, places, companions))


def are_splits(names: Collection[str]) -> bool:
    """Whether all names denote splits: plain ones, or any beside unlabelled images."""
    sides = {name: split_name(name) for name in names if not says_unlabelled(name)}
    if not sides or any(side is None for side in sides.values()):
        return False
    return len(sides) < len(names) or all(side is not None and not side.rest for side in sides.values())


def _words(name: str) -> list[str]:
    """The words and numbers of a name in lower case; ``TrainSet`` has two."""
    return [
        word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|[^\W\d_]+|\d+", name)
    ]
