"""Errors for ambiguous folders: what was found, and what to do."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import PurePosixPath
from typing import NoReturn

from edge_runtime.common.errors import DataError
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset.layout import IMAGE_SUFFIXES, Folder
from edge_runtime.dataset.table_rows import TABLE_SUFFIXES

CURE = "Make one sub-folder per class, at least two, with images in each."
_MOST_SEEN = 6
_MOST_PREFIXES = 200
"""File names with more distinct first words than this do not start with a class name."""


def content_of(top: Folder) -> str:
    """Describes the content of a folder: ``train/ (8 images), test1/ (8 images), train.csv``."""
    parts = []
    for name, folder in sorted(top.folders.items()):
        below = len(folder.with_images())
        inner = f"{below} folder{'' if below == 1 else 's'}, " if below else ""
        parts.append(f"{name}/ ({inner}{_images(folder.all_images)})")
    parts += sorted(name for name in top.files if name.lower().endswith(TABLE_SUFFIXES))
    if top.images:
        parts.append(_images(top.images))
    more = f" and {len(parts) - _MOST_SEEN} more" if len(parts) > _MOST_SEEN else ""
    return as_utf8(", ".join(parts[:_MOST_SEEN]) + more) or "an empty folder"


def command(path: str) -> str:
    """A shell command that trains on a path."""
    return as_utf8(f"snapship train {shlex.quote(path)}")


def refuse_flat(path: str, folder: Folder, top: Folder, place: str) -> NoReturn:
    """Raises the error for images that are not in class folders.

    Args:
        path: The folder to train on, below ``place``; empty for ``place`` itself.
        folder: That folder.
        top: The folder that contains it, for the message.
        place: Path of ``top``.
    """
    raise DataError(
        f"Images must lie in class folders or be listed in a table. Received: {content_of(top)} in {as_utf8(place)}, "
        f"without class folders. {_flat_cure(folder, f'{place}/{path}'.rstrip('/'))}{_or_classes(top)}"
    )


def refuse_flat_sides(train: str, val: str, folder: Folder, top: Folder, place: str) -> NoReturn:
    """Raises the error for train and val without class folders, which may be classes beside others.

    Args:
        train: Path of the train folder below ``place``.
        val: Path of the val folder below ``place``.
        folder: The train folder.
        top: The folder that contains both.
        place: Path of ``top``.
    """
    others = sorted(
        name for name in top.with_images() if name not in (train.split("/")[0], val.split("/")[0])
    )
    if len(others) > 1:
        raise DataError(
            f"train and val must hold class folders. Received: only images in {train} and {val}, beside "
            f"{', '.join(others[:3])} in {as_utf8(place)}. If they are classes too, rename one of them; "
            f"if they are splits, give both class folders and move the others away."
        )
    refuse_flat(train, folder, top, place)


def refuse_flat_val(train: str, val: str, folder: Folder, place: str) -> NoReturn:
    """Raises the error for a val folder without class folders, beside a train folder that has them.

    Args:
        train: Path of the train folder below ``place``.
        val: Path of the val folder below ``place``.
        folder: The val folder.
        place: Path of the folder that contains both.
    """
    raise DataError(
        f"val must hold class folders. Received: {content_of(folder)} in {as_utf8(f'{place}/{val}')}. "
        f"Make one sub-folder per class there, or pass {as_utf8(train)} alone, which is then split: "
        f"{command(f'{place}/{train}')}"
    )


def refuse_sides(top: Folder, alone: str, missing: str, place: str) -> NoReturn:
    """Raises the error for one split with class folders beside other folders: it would become a class."""
    others = sorted(name for name in top.folders if name != alone)
    raise DataError(
        f"train and val must lie side by side. Received: no {missing} folder beside {', '.join(others[:3])} in "
        f"{as_utf8(place)} ({content_of(top)}). Rename one of them to {missing}, or pass one folder: "
        f"{command(f'{place}/{alone}')}"
    )


def refuse_several(top: Folder, first: str, place: str) -> NoReturn:
    """Raises the error for several candidates for train or val."""
    raise DataError(
        f"There must be one train and one val folder. Received: {content_of(top)} in {as_utf8(place)}. Name the two "
        f"train and val and move the others away, or pass one folder: {command(f'{place}/{first}')}"
    )


def refuse_parts(top: Folder, place: str) -> NoReturn:
    """Raises the error for folds and numbered parts of one set, which would become classes."""
    first = min(top.with_images())
    if len(top.folders[first].with_images()) > 1 and _fit_a_table(top):
        cure = as_utf8(
            f"To validate on {first} and train on the others, run: (cd {shlex.quote(place)} && "
            "{ echo path,label,split; for f in */*/*.*; do c=${f#*/}; "
            f"case $f in {shlex.quote(first)}/*) s=val;; *) s=train;; esac; "
            f'echo "$f,${{c%%/*}},$s"; done; }} > folds.csv) && {command(f"{place}/folds.csv")}'
        )
    else:
        cure = (
            f"List the images in a CSV of path,label and pass it: {command(f'{place}/labels.csv')}"
            f"{_or_classes(top)}"
        )
    raise DataError(
        f"Class folders must be named after classes. Received: numbered parts of one set in {as_utf8(place)} "
        f"({content_of(top)}). {cure}"
    )


def _fit_a_table(folder: Folder) -> bool:
    """Whether a shell can write the names below into a CSV without quoting."""
    return not any("," in ref or '"' in ref for ref in folder.refs())


def _flat_cure(folder: Folder, path: str) -> str:
    """The cure for images in one folder, whose names may start with the class."""
    names = [
        PurePosixPath(name) for name in folder.files if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
    ]
    for sign, pattern in (
        (".", r"([^.]*[^\W\d_])\.\d+"),
        ("_", r"(.*[^\W\d_])_\d+"),
        ("-", r"(.*[^\W\d_])-\d+"),
    ):
        found = Counter(match[1] for name in names if (match := re.fullmatch(pattern, name.stem)))
        if (
            _fit_a_table(folder)
            and 1 < len(found) <= _MOST_PREFIXES
            and found.total() == len(names) >= 2 * len(found)
        ):
            suffixes = " ".join(sorted({f"*{name.suffix}" for name in names}))
            cut = "${f%%.*}" if sign == "." else f"${{f%{sign}*}}"
            words = ", ".join(sorted(found)[:3])
            return as_utf8(
                f"Their names start with {words}; if these are the classes, run: (cd {shlex.quote(path)} && "
                f'{{ echo path,label; for f in {suffixes}; do echo "$f,{cut}"; done; }} > labels.csv) && '
                f"{command(path)}"
            )
    return as_utf8(
        f"Move them into one folder per class, or list them in {path}/labels.csv, with the header path,label, "
        f"and run: {command(f'{path}/labels.csv')}"
    )


def or_the_only_set(top: Folder, place: str) -> str:
    """A suffix for messages: the command for the only folder that holds class folders, if any.

    Args:
        top: Folders, some of them without images.
        place: Path of ``top``.
    """
    holding = top.with_images()
    name = next(iter(holding), "")
    if len(holding) != 1 or len(holding[name].with_images()) < 2:
        return "."
    return f", or pass the one with classes: {command(f'{place}/{name}')}"


def _or_classes(top: Folder) -> str:
    """The cure for classes that really have such names."""
    if len(top.with_images()) < 2:
        return ""
    return " (if these folders are the classes, rename one: such names are treated as parts of a set)"


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
