"""Class folders: which folder is a split, which a class, and which files are images."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge_runtime.dataset.imageset import Split
from edge_runtime.dataset.order import class_order
from edge_runtime.errors import DataError

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing")
VAL_NAMES = ("val", "valid", "validation", *TEST_NAMES)
"""Names of split folders, best first: a test folder beside val is left alone."""

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
"""What Windows, macOS, Linux, NAS boxes and Python leave behind, in lower case."""

_CURE = "Make one sub-folder per class, at least two, with images in each."


@dataclass(frozen=True)
class Layout:
    """What class folders say.

    Attributes:
        labels: Class names in order.
        files: ``(ref, label, split)``; split None where the content hash decides.
        skipped: Files that are no part of it, as ``ref: reason``.
    """

    labels: tuple[str, ...]
    files: tuple[tuple[str, int, Split | None], ...]
    skipped: tuple[str, ...]


class Folder:
    """One folder: its sub-folders and files, by name."""

    def __init__(self) -> None:
        """Makes an empty folder."""
        self.folders: dict[str, Folder] = {}
        self.files: dict[str, str] = {}

    def add(self, parts: Iterable[str]) -> Folder:
        """Returns the sub-folder at ``parts``, made where missing; its name in Unicode's NFC."""
        folder = self
        for part in parts:
            # macOS writes "é" as two signs and others as one: it is one class all the same.
            folder = folder.folders.setdefault(unicodedata.normalize("NFC", part), Folder())
        return folder

    def refs(self) -> list[str]:
        """Refs of all files below, sorted."""
        below = [ref for folder in self.folders.values() for ref in folder.refs()]
        return sorted([*self.files.values(), *below])


def is_ignored(parts: Iterable[str]) -> bool:
    """Whether a path is hidden or what an operating system leaves behind."""
    return any(part.startswith(".") or part.lower() in _IGNORED for part in parts)


def as_utf8(name: str) -> str:
    """The name, with escapes for what is not UTF-8: on Linux a file name may be any bytes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def tree(files: Iterable[str], folders: Iterable[str]) -> Folder:
    """Arranges relative paths (with ``/``) as folders.

    Args:
        files: Paths of files; they are their own refs.
        folders: Paths of folders, so that empty ones are known.
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


def read_layout(root: Folder, source: str, is_image: Callable[[str], bool]) -> Layout:
    """Finds splits and classes.

    Args:
        root: The whole tree.
        source: Its name for messages.
        is_image: Whether a ref claims to be an image.

    Raises:
        DataError: It is no tree of class folders.
    """
    skipped: list[str] = []
    top = root
    # A single folder around everything is what zipping a folder gives.
    while len(top.folders) == 1 and (inner := next(iter(top.folders.values()))).folders:
        skipped += [f"{ref}: not in a class folder" for ref in top.files.values()]
        top = inner
    train, val = _split_folder(top, TRAIN_NAMES), _split_folder(top, VAL_NAMES)
    if train is None or val is None or not (train.folders or val.folders):
        if train is not None and val is not None:
            raise DataError(f"train and val must hold class folders. Received: none in {source}. {_CURE}")
        _refuse_half_a_split(top, train, val, source)
        names = _classes(top, source, is_image, skipped)
        files = [(ref, label, None) for label, name in enumerate(names)
                 for ref in _images(top.folders[name], is_image, skipped)]  # fmt: skip
        return Layout(names, tuple(files), tuple(skipped))
    names = _classes(train, f"{source} (train)", is_image, skipped)
    skipped += [f"{ref}: not in a class folder" for ref in top.files.values()]
    for folder in top.folders.values():
        if folder is not train and folder is not val:
            skipped += [f"{ref}: neither in the train nor in the val folder" for ref in folder.refs()]
    unknown = [name for name in val.folders if name not in names]
    if unknown:
        raise DataError(
            f"A class in val must be a class in train. Received: {', '.join(map(as_utf8, sorted(unknown)[:5]))} in "
            f"{source}, train has {', '.join(names[:8])}. Rename the folder or add it to train."
        )
    if not val.folders:
        raise DataError(f"val must hold class folders. Received: none in {source}. {_CURE}")
    skipped += [f"{ref}: not in a class folder" for ref in val.files.values()]
    placed: list[tuple[str, int, Split | None]] = []
    sides: tuple[tuple[Split, Folder], ...] = (("train", train), ("val", val))
    for split, folder in sides:
        for label, name in enumerate(names):
            if name in folder.folders:
                refs = _images(folder.folders[name], is_image, skipped)
                placed += [(ref, label, split) for ref in refs]
    if not any(split == "val" for _, _, split in placed):
        raise DataError(f"val must hold images. Received: none in {source}. Add some per class.")
    return Layout(names, tuple(placed), tuple(skipped))


def _refuse_half_a_split(top: Folder, train: Folder | None, val: Folder | None, source: str) -> None:
    """Refuses train/ with class folders beside something else: the split would become classes."""
    for folder, missing in ((train, "val"), (val, "train")):
        if folder is not None and len(folder.folders) > 1 and len(top.folders) > 1:
            others = sorted(name for name, other in top.folders.items() if other is not folder)
            raise DataError(
                f"train and val must lie side by side. Received: no {missing} folder beside "
                f"{', '.join(others[:3])} in {source}. Rename one of them to {missing}."
            )


def _split_folder(top: Folder, names: tuple[str, ...]) -> Folder | None:
    lowered = {name.lower(): folder for name, folder in top.folders.items()}
    return next((lowered[name] for name in names if name in lowered), None)


def _classes(
    top: Folder, source: str, is_image: Callable[[str], bool], skipped: list[str]
) -> tuple[str, ...]:
    """Names of the class folders, each of which holds images."""
    names = class_order(top.folders)
    if not names:
        what = f"{len(top.files)} files and no sub-folder" if top.files else "an empty folder"
        raise DataError(f"DATA must hold one sub-folder per class. Received: {what} in {source}. {_CURE}")
    empty = [name for name in names if not any(is_image(ref) for ref in top.folders[name].refs())]
    if empty:
        raise DataError(
            f"A class folder must hold images. Received: none in {empty[0]!r} of {source}. "
            "Add images or remove the folder."
        )
    if len(names) < 2:
        raise DataError(
            f"DATA must have at least two classes. Received: 1 class folder, {names[0]!r}, in {source}. "
            f"{_CURE}"
        )
    skipped += [f"{ref}: not in a class folder" for ref in top.files.values()]
    return names


def _images(folder: Folder, is_image: Callable[[str], bool], skipped: list[str]) -> list[str]:
    """Refs of the images below a class folder; notes the others."""
    refs = folder.refs()
    skipped += [f"{ref}: not an image" for ref in refs if not is_image(ref)]
    return [ref for ref in refs if is_image(ref)]
