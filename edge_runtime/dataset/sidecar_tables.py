"""Tables beside images: a CSV, ``metadata.csv``, ``metadata.jsonl`` or ``_classes.csv`` in a folder of images.

Class folders take precedence over a table; if the two give the same images different labels, the
folder is rejected. Without class folders, the table is opened if there is no doubt which one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from edge_runtime.common.errors import DataError
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset.ambiguous_folders import command
from edge_runtime.dataset.files import DiskFiles, Files
from edge_runtime.dataset.imageset import Content, ImageSet, Item, Split
from edge_runtime.dataset.layout import Folder, LabelledFiles, is_train, split_name
from edge_runtime.dataset.split_folders import find_sides, inner_folder, is_test_side, may_lack_labels
from edge_runtime.dataset.table import KNOWN_TABLES, from_csv
from edge_runtime.dataset.table_columns import label_column
from edge_runtime.dataset.table_rows import TABLE_SUFFIXES, lines_of

_SCORES = frozenset(("score", "confidence", "probability", "prediction"))
_MOST_BYTES = 64 * 1024 * 1024
_LOOKED_AT = 200
"""Lines of a table that are sampled to see whether it lists the images."""


def table_of(folder: Folder) -> str | None:
    """The table in a folder: one with a known name, or the only one.

    Args:
        folder: A folder that may hold a table.

    Returns:
        Its ref; None if there is no table or several candidates.
    """
    tables = _tables_in(folder)
    known = [ref for ref in tables if PurePosixPath(ref).name.lower() in KNOWN_TABLES]
    found = known or tables
    return found[0] if len(found) == 1 else None


def open_tables(files: Files, root: Folder, max_bytes: int, unclear: DataError) -> ImageSet:
    """Opens the table or tables of a folder that has no class folders.

    Args:
        files: The files of the folder.
        root: Its tree, with images counted.
        max_bytes: Larger image files are skipped.
        unclear: Why it is not a tree of class folders; raised if no table lists the images.

    Raises:
        DataError: No table labels these images, or several might.
    """
    levels = list(_levels_of(root))
    if isinstance(files, DiskFiles) and (joined := _of_sides(files, levels[-1], max_bytes)) is not None:
        return joined
    names = _Names(root)
    # Submission templates and lists of test images of a competition hold no labels.
    refs = [
        ref for folder in levels for ref in _tables_in(folder) if not may_lack_labels(PurePosixPath(ref).stem)
    ]
    listing = _preferred([ref for ref in refs if names.are_listed_in(files, ref)])
    if not listing:
        raise _without_table(files, refs, unclear)
    if len(listing) > 1:
        raise DataError(
            f"One table must label the images. Received: {', '.join(listing[:5])} in {files.source}. Pass the one "
            f"that does: {command(f'{files.folder}/{listing[0]}')}"
        )
    if not isinstance(files, DiskFiles):
        raise DataError(
            f"A table must lie beside unpacked images. Received: {listing[0]} in {files.source}. "
            f"Unpack the archive and pass the folder: {command(files.folder)}"
        )
    return _whole_side(from_csv(files.root / listing[0], max_bytes), listing[0])


def check_tables_agree(files: Files, root: Folder, layout: LabelledFiles) -> None:
    """Rejects class folders beside a table that gives their images other labels.

    Args:
        files: The files of the folder.
        root: Its tree.
        layout: The class folders found in it.

    Raises:
        DataError: The two divide the images into classes differently.
    """
    tables = [ref for folder in _places_of_tables(root) for ref in _tables_in(folder)]
    if not tables:
        return
    folders: dict[str, int | None] = {}
    for ref, label, _ in layout.files:
        folders[ref] = label
        name = PurePosixPath(ref).name
        folders[name] = label if folders.get(name, label) == label else None
    for table in tables:
        said = list(_said(files, table, folders))
        # Other labels with the same class names are predictions or notes.
        if 2 * sum(label in layout.labels for _, label in said) >= max(1, len(said)):
            continue
        if where := _contradiction(said, layout.labels):
            raise DataError(
                f"Class folders and a table beside them must agree. Received: images of {where} in {table} of "
                f"{as_utf8(files.source)}. Move the table away to go by the folders; to go by the table, run: "
                f"{command(f'{files.folder}/{table}')}"
            )


def _without_table(files: Files, refs: list[str], unclear: DataError) -> DataError:
    """The error if no table labels the images; for a single table, why it does not."""
    if len(refs) != 1:
        return unclear
    try:
        head = lines_of(files.read(refs[0], _MOST_BYTES), PurePosixPath(files.source) / refs[0])[0].cells
    except DataError as unreadable:
        return unreadable
    if _holds_predictions(head) and label_column(head) is not None:
        return DataError(f"{unclear} (to go by {refs[0]}: {command(f'{files.folder}/{refs[0]}')})")
    return unclear


class _Names:
    """Images by path and by name, with and without suffix, to check whether a table lists them."""

    def __init__(self, root: Folder) -> None:
        paths = [PurePosixPath(ref) for ref in root.refs()]
        self._known = {
            unicodedata.normalize("NFC", name) for path in paths for name in (path.name, path.stem)
        }

    def are_listed_in(self, files: Files, table: str) -> bool:
        """Whether most lines of a table name these images, and it does not hold predictions.

        Args:
            files: The files that contain the table.
            table: Its ref.
        """
        rows = _rows_of(files, table)[: _LOOKED_AT + 1]
        if not rows or _holds_predictions(rows[0]):
            return False
        named = sum(any(self._names_one(cell) for cell in row) for row in rows)
        return 2 * named >= max(1, len(rows) - 1)

    def _names_one(self, cell: str) -> bool:
        name = unicodedata.normalize("NFC", PurePosixPath(cell.replace("\\", "/")).name)
        return name in self._known


def _whole_side(images: ImageSet, table: str) -> ImageSet:
    """Puts everything in val if the table lies in a val folder; train alone is split by content."""
    sides = [split_name(folder) for folder in PurePosixPath(table).parent.parts]
    if not any(side is not None and side.role != "train" and not side.rest for side in sides):
        return images
    return replace(images, items=tuple(replace(item, split="val") for item in images.items))


def _of_sides(files: DiskFiles, top: Folder, max_bytes: int) -> ImageSet | None:
    """One table each for train and val, as Hugging Face and Roboflow lay them out."""
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
        unlabelled = is_test_side(sides[1]) and not val.with_images() and not _tables_in(val)
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

    def read(item: Item) -> Content:
        images, original = parts[item.ref]
        return images.read(original)

    skipped = (
        f"{PurePosixPath(table).parent}/{line}" for table, images in (train, val) for line in images.skipped
    )
    return ImageSet(files.source, labels, tuple(items), read, tuple(skipped))


def _levels_of(root: Folder) -> Iterator[Folder]:
    """The folder and the chain of only folders within it."""
    yield root
    while not root.images and len(holding := root.with_images()) == 1:
        root = next(iter(holding.values()))
        yield root


def _tables_in(folder: Folder) -> list[str]:
    """Refs of the tables directly in a folder, sorted."""
    return sorted(ref for name, ref in folder.files.items() if name.lower().endswith(TABLE_SUFFIXES))


def _preferred(tables: list[str]) -> list[str]:
    """Of several tables, those with a known name, or else the one for train."""
    known = [ref for ref in tables if PurePosixPath(ref).name.lower() in KNOWN_TABLES]
    train = [ref for ref in tables if is_train(PurePosixPath(ref).stem)]
    return known or train or tables


def _rows_of(files: Files, table: str) -> list[list[str]]:
    """All cells of a table; empty if it cannot be read as one."""
    try:
        return [line.cells for line in lines_of(files.read(table, _MOST_BYTES), PurePosixPath(table))]
    except DataError:
        return []


def _holds_predictions(head: Sequence[str]) -> bool:
    """Whether column names suggest predictions rather than labels."""
    return not _SCORES.isdisjoint(name.lower() for name in head)


def _said(files: Files, table: str, folders: Mapping[str, int | None]) -> Iterator[tuple[int, str]]:
    """Per line that names an image of a class folder: the class of the folder and the label of the line."""
    head, *rows = _rows_of(files, table) or [[]]
    column = label_column(head)
    if column is None or _holds_predictions(head):
        return
    base = PurePosixPath(table).parent
    for row in rows:
        # A cell is relative to the table, or a name that is unique.
        refs = [str(base / cell.replace("\\", "/")) for cell in row]
        cells = [folders.get(ref, folders.get(cell)) for ref, cell in zip(refs, row, strict=True)]
        folder = next((found for found in cells if found is not None), None)
        if folder is not None and len(row) > column:
            yield folder, row[column]


def _contradiction(said: Iterable[tuple[int, str]], labels: tuple[str, ...]) -> str:
    """Describes where a table groups images differently from the folders; empty if it does not.

    Names may differ, such as ``n01443537`` and ``goldfish``, as long as the groups are the same.
    """
    by_folder: dict[int, str] = {}
    by_label: dict[str, int] = {}
    for folder, label in said:
        if by_folder.setdefault(folder, label) != label:
            return f"{labels[folder]!r} are {by_folder[folder]!r} and {label!r}"
        if by_label.setdefault(label, folder) != folder:
            return f"{labels[by_label[label]]!r} and {labels[folder]!r} are {label!r}"
    return ""


def _places_of_tables(root: Folder) -> Iterator[Folder]:
    """The folders above the class folders: levels and splits."""
    levels = list(_levels_of(root))
    yield from levels
    yield from (folder for name, folder in levels[-1].folders.items() if split_name(name) is not None)
