"""Tables beside images: a CSV, ``metadata.csv``, ``metadata.jsonl`` or ``_classes.csv`` in a folder of images.

Class folders go before a table, unless the two give the same images different labels, which
is refused. Where there are no class folders, the table is opened if it is certain which.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import NamedTuple

from edge_runtime.dataset.files import DiskFiles, Files
from edge_runtime.dataset.imageset import ImageSet, Item, Split
from edge_runtime.dataset.layout import IMAGE_SUFFIXES, Folder
from edge_runtime.dataset.sides import find_sides, inner_folder, may_lack_labels
from edge_runtime.dataset.split_names import split_name
from edge_runtime.dataset.table import LABEL_COLUMNS, PATH_COLUMNS, from_csv
from edge_runtime.dataset.unclear import TABLE_SUFFIXES, command
from edge_runtime.errors import DataError
from edge_runtime.text import as_utf8

KNOWN_TABLES = ("metadata.csv", "metadata.jsonl", "_classes.csv")
"""Names by which Hugging Face and Roboflow say that a table labels the images beside it."""

_SCORES = frozenset(("score", "confidence", "probability", "prediction"))
_MOST_BYTES = 64 * 1024 * 1024
_LOOKED_AT = 200
"""Lines of a table by which it is seen whether it lists these images."""


class _Table(NamedTuple):
    """A table of these images.

    Attributes:
        ref: The table.
        places: Folders of its images: its own where its paths exist from there, else where their names occur.
        whole_names: Whether it has the names with their suffix.
    """

    ref: str
    places: list[str]
    whole_names: bool


def table_of(folder: Folder) -> str | None:
    """The one table in a folder: one of a known name, or the only one.

    Args:
        folder: What may hold a table.

    Returns:
        Its ref, or None where there is none or it is not certain which.
    """
    tables = tables_in(folder)
    known = [ref for ref in tables if PurePosixPath(ref).name.lower() in KNOWN_TABLES]
    found = known or tables
    return found[0] if len(found) == 1 else None


def open_tables(files: Files, root: Folder, max_bytes: int, unclear: DataError) -> ImageSet:
    """Opens the table or tables of a folder that has no class folders.

    Args:
        files: What the folder holds.
        root: Its tree, with images counted.
        max_bytes: Larger image files are skipped.
        unclear: Why it is no tree of class folders; raised where no table lists the images.

    Raises:
        DataError: No table labels these images, or it is not certain which.
    """
    levels = list(levels_of(root))
    if isinstance(files, DiskFiles) and (joined := _of_sides(files, levels[-1], max_bytes)) is not None:
        return joined
    names = _Names(root)
    # Templates for answers to a competition and lists of its test images hold no labels.
    refs = [
        ref for folder in levels for ref in tables_in(folder) if not may_lack_labels(PurePosixPath(ref).stem)
    ]
    listing = [table for ref in refs if (table := names.table(files, ref)) is not None]
    if len(listing) > 1:
        listing = _preferred(listing)
    if not listing:
        raise unclear
    if len(listing) > 1:
        raise DataError(
            f"One table must label the images. Received: {', '.join(table.ref for table in listing[:5])} in "
            f"{files.source}. Pass the one that does: {command(f'{files.source}/{listing[0].ref}')}"
        )
    table = listing[0]
    if not isinstance(files, DiskFiles):
        raise DataError(
            f"A table must lie beside unpacked images. Received: {table.ref} in {files.source}. "
            "Unpack the archive and pass the folder."
        )
    try:
        return _whole_side(from_csv(files.root / table.ref, max_bytes), table.ref)
    except DataError as error:
        raise _misplaced(files, table, rows_of(files, table.ref)[0]) or error from error


class _Names:
    """Images by path and by name, to see which folder a table lists."""

    def __init__(self, root: Folder) -> None:
        self._refs = set(root.refs())
        self._folders: dict[str, list[str]] = {}
        for ref in sorted(self._refs):
            path = PurePosixPath(ref)
            # In some competitions names come without their suffix.
            for name in {path.name, path.stem}:
                self._folders.setdefault(name, []).append(str(path.parent))

    def table(self, files: Files, ref: str) -> _Table | None:
        """Which images a table lists.

        Args:
            files: Where the table lies.
            ref: The table.

        Returns:
            None where most of its lines name none of these images, or it holds a model's answers.
        """
        rows = rows_of(files, ref)[: _LOOKED_AT + 1]
        if not rows or holds_answers(rows[0]):
            return None
        base = str(PurePosixPath(ref).parent)
        most = max(1, len(rows) - 1) / 2
        if sum(any(cell and joined_path(base, cell) in self._refs for cell in row) for row in rows) >= most:
            return _Table(ref, [base], True)
        named = [(row, places) for row in rows if (places := {*self._places(row)})]
        if len(named) < most:
            return None
        tally = Counter(place for _, places in named for place in places)
        found = sorted(place for place, count in tally.items() if count > most) or sorted(tally)
        found = [place for place in found if _is_train(PurePosixPath(place).parts)] or found
        whole = all(
            any(PurePosixPath(cell).suffix.lower() in IMAGE_SUFFIXES for cell in row) for row, _ in named
        )
        return _Table(ref, found, whole)

    def _places(self, row: list[str]) -> Iterator[str]:
        for cell in row:
            yield from self._folders.get(PurePosixPath(cell.replace("\\", "/")).name, ()) if cell else ()


def _misplaced(files: DiskFiles, table: _Table, head: list[str]) -> DataError | None:
    """What to say of a table whose images lie elsewhere than it says; None where they do not."""
    base, *others = table.places
    if base == str(PurePosixPath(table.ref).parent):
        return None
    source, name = files.source, PurePosixPath(table.ref).name
    columns, where = [cell.lower() for cell in head], f"{source}/{table.ref}"
    if others:
        cure = f"Write the header path,label and the folder before each name, and run: {command(where)}"
    elif table.whole_names and all(
        any(cell in columns for cell in known) for known in (PATH_COLUMNS, LABEL_COLUMNS)
    ):
        moved = f"mv {shlex.quote(f'{source}/{table.ref}')} {shlex.quote(f'{source}/{base}/')}"
        cure = f"Move it to them and pass it: {as_utf8(moved)} && {command(f'{source}/{base}/{name}')}"
    else:
        cure = as_utf8(
            f"Write {source}/{base}/labels.csv with the header path,label and whole file names, and pass it: "
            f"{command(f'{source}/{base}/labels.csv')}"
        )
    return DataError(
        f"A table's paths must exist, relative to the table. Received: {table.ref} ({', '.join(head)[:120]}) in "
        f"{as_utf8(source)}, of images in {' and '.join([base, *others][:3])}. {cure}"
    )


def _whole_side(images: ImageSet, table: str) -> ImageSet:
    """Everything in val where a table lies in a folder of that name; train alone is split by content."""
    sides = [split_name(folder) for folder in PurePosixPath(table).parent.parts]
    if not any(side is not None and side.role != "train" and not side.rest for side in sides):
        return images
    return replace(images, items=tuple(replace(item, split="val") for item in images.items))


def _of_sides(files: DiskFiles, top: Folder, max_bytes: int) -> ImageSet | None:
    """Train and val of a table each, as Hugging Face and Roboflow lay them out."""
    try:
        sides = find_sides(top, files.source)
    except DataError:
        return None
    if sides is None:
        return None
    train, val = (inner_folder(top, name)[1] for name in sides)
    train_table, val_table = table_of(train), table_of(val)
    if train_table is None:
        return None
    if val_table is None:
        unlabelled = may_lack_labels(sides[1]) and not val.with_images() and not tables_in(val)
        return from_csv(files.root / train_table, max_bytes) if unlabelled else None
    return _joined(
        files,
        (train_table, from_csv(files.root / train_table, max_bytes)),
        (val_table, from_csv(files.root / val_table, max_bytes)),
    )


def _joined(files: DiskFiles, train: tuple[str, ImageSet], val: tuple[str, ImageSet]) -> ImageSet:
    labels = train[1].labels
    unknown = sorted(set(val[1].labels) - set(labels))
    if unknown:
        raise DataError(
            f"A class in val must be a class in train. Received: {', '.join(unknown[:5])} in {val[0]} of "
            f"{files.source}, train has {', '.join(labels[:8])}. Correct the table or add it to train."
        )
    parts: dict[str, tuple[ImageSet, Item]] = {}
    items = []
    sides: tuple[tuple[Split, tuple[str, ImageSet]], ...] = (("train", train), ("val", val))
    for split, (table, images) in sides:
        base = str(PurePosixPath(table).parent)
        for item in images.items:
            ref, label = f"{base}/{item.ref}", labels.index(images.labels[item.label])
            items.append(Item(ref, label, split, item.sha256))
            parts[ref] = images, item
    return ImageSet(
        files.source,
        labels,
        tuple(items),
        lambda item: parts[item.ref][0].read(parts[item.ref][1]),
        tuple(
            f"{PurePosixPath(table).parent}/{line}" for _, (table, images) in sides for line in images.skipped
        ),
    )


def levels_of(root: Folder) -> Iterator[Folder]:
    """The folder and those around everything within it."""
    yield root
    while not root.images and len(holding := root.with_images()) == 1:
        root = next(iter(holding.values()))
        yield root


def tables_in(folder: Folder) -> list[str]:
    """Refs of the tables in a folder itself, sorted."""
    return sorted(ref for name, ref in folder.files.items() if name.lower().endswith(TABLE_SUFFIXES))


def _preferred(tables: list[_Table]) -> list[_Table]:
    """Of several tables, those of a known name, or else the one of train."""
    known = [table for table in tables if PurePosixPath(table.ref).name.lower() in KNOWN_TABLES]
    train = [table for table in tables if _is_train([PurePosixPath(table.ref).stem])]
    return known or train or tables


def _is_train(folders: Iterable[str]) -> bool:
    return any((side := split_name(name)) is not None and side.role == "train" for name in folders)


def rows_of(files: Files, table: str) -> list[list[str]]:
    """Cells of a table, whatever they mean; empty where it is none."""
    try:
        text = files.read(table, _MOST_BYTES).decode("utf-8-sig", "replace")
        if table.lower().endswith(".jsonl"):
            records = [json.loads(line) for line in text.split("\n") if line.strip()]
            head = [str(name) for name in records[0]] if records and isinstance(records[0], dict) else []
            return [head, *([str(record.get(name, "")) for name in head] for record in records)]
        separator = max(",;\t", key=text.split("\n", 1)[0].count)
        return [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text), delimiter=separator)
            if row
        ]
    except (DataError, ValueError, AttributeError, csv.Error, RecursionError):
        return []


def holds_answers(head: Sequence[str]) -> bool:
    """Whether column names say that a table holds a model's answers and no labels."""
    return not _SCORES.isdisjoint(name.lower() for name in head)


def joined_path(base: str, cell: str) -> str:
    """The ref of what a cell of a table in the folder ``base`` may name."""
    return str(PurePosixPath(base) / cell.replace("\\", "/"))
