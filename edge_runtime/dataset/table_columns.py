"""Interprets the columns of a table: image, label, split.

A meaningful column is read or rejected, never ignored silently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edge_runtime.common.errors import DataError
from edge_runtime.dataset.table_rows import ImageFinder, Line, cure_of, is_missing
from edge_runtime.dataset.table_splits import SplitColumns, split_columns

PATH_COLUMNS = (
    "path", "file", "filename", "file_name", "image", "image_path", "filepath", "file_path", "img_path",
    "image_file", "image_filename", "image_name", "img_name", "img_file", "img", "fname", "photo", "picture",
    "paths", "files", "filenames", "filepaths", "images", "image_id", "img_id", "file_id", "id_code", "id",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "class", "label_name", "class_name", "category", "category_name", "label_index", "class_index",
    "label_id", "class_id", "category_id", "target", "target_name", "class_label", "label_text", "diagnosis",
    "labels", "classes", "categories",
)  # fmt: skip
LESS_CERTAIN = ("breed", "species", "dx", "variety", "disease", "grade", "level", "tag", "tags", "y", "type")
NAME_COLUMNS = ("name", "names", "title", "common_name", "scientific_name", "species_name")
"""Known column names, best first, ignoring case and separators; ``LESS_CERTAIN`` only without any of
the others, ``NAME_COLUMNS`` only if they name numeric labels one to one."""

ONE_HOT_FILE = "_classes.csv"
"""One column per class: Roboflow's multi-class export."""

_PLURAL = frozenset(("labels", "classes", "categories", "tags"))
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?")
_ONE_OR_ZERO = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_ROW_NUMBER = re.compile(r"|unnamed\d*|index|row|rowid|rownumber|no|nr")


class Columns(NamedTuple):
    """The columns of a table.

    Attributes:
        image: The column of paths.
        label: The column of labels; of the names, if there are also numbers.
        number: The column of label numbers, if there are also names.
        one_hot: The one-hot columns instead, with their class names.
        split: The columns that decide the split.
        unread: Meaningful columns that are not needed, as ``column: reason``.
    """

    image: int
    label: int = -1
    number: int | None = None
    one_hot: tuple[tuple[int, str], ...] = ()
    split: SplitColumns = SplitColumns()
    unread: tuple[str, ...] = ()


def is_number(label: str) -> bool:
    """Whether a label is an integer, including ``2.0`` as pandas writes it.

    Args:
        label: The cell.
    """
    return _NUMBER.fullmatch(label) is not None


def read_columns(path: Path, lines: list[Line], finder: ImageFinder) -> tuple[Columns, list[Line]]:
    """Finds the columns and the lines below the header, which may be missing.

    Args:
        path: The table.
        lines: All its lines.
        finder: The files that it may name.

    Raises:
        DataError: The column of images or labels is missing or ambiguous.
    """
    head, body = [" ".join(cell.split()) for cell in lines[0].cells], lines[1:]
    keys = [_key(cell) for cell in head]
    images = _columns_of(keys, PATH_COLUMNS)
    named = images and _columns_of(keys, (*LABEL_COLUMNS, *LESS_CERTAIN))
    if not named and len(head) in (2, 3) and finder.find(lines[0].cells[0]) is not None:
        return Columns(0, 1, split=SplitColumns(words=(2,) if len(head) == 3 else ())), lines
    images = images or _column_of_files(keys, lines, finder)
    if not images or len(head) < 2:
        raise _no_columns(path, head)
    if not body:
        raise DataError(f"A CSV must list images. Received: only a header in {path}. {cure_of(path)}")
    image = _image_column(images, body, finder)
    known = _columns_of(keys, LABEL_COLUMNS)
    less_certain = _columns_of(keys, LESS_CERTAIN)
    split = split_columns(path, head, keys, body, {*images, *known}, bool(known or less_certain))
    rest = [
        at for at, key in enumerate(keys)
        if at not in images and at not in split.all and _ROW_NUMBER.fullmatch(key) is None
    ]  # fmt: skip
    hot = _one_hot(head, rest, body)
    labels = known or [at for at in less_certain if at not in split.all]
    if not labels and len(rest) == 1 and not hot:
        labels = rest
    if hot and (not labels or path.name.lower() == ONE_HOT_FILE):
        return Columns(image, one_hot=hot, split=split, unread=split.unread), body
    if not labels:
        raise _no_columns(path, head)
    return _label_columns(path, head, keys, body, image, labels, split), body


def _label_columns(
    path: Path,
    head: list[str],
    keys: list[str],
    body: list[Line],
    image: int,
    labels: list[int],
    split: SplitColumns,
) -> Columns:
    """Of several possible label columns, those of names and numbers; rejects an ambiguous choice."""
    numbers = [at for at in labels if _are_numbers(body, at)]
    words = [at for at in labels if at not in numbers]
    said = next((at for at in labels if keys[at] == "label"), None)
    base = said if said is not None else (words or numbers)[0]
    names, number = base, None
    if base in numbers:
        beside = [at for at in _columns_of(keys, (*LESS_CERTAIN, *NAME_COLUMNS)) if at not in labels]
        names = next((at for at in (*words, *beside) if _same_classes(body, at, base)), base)
        number = base if names != base else None
    elif fitting := [at for at in numbers if _same_classes(body, base, at)]:
        number = fitting[0]
    others = [at for at in labels if at not in (names, number) and not _same_classes(body, names, at)]
    if others and (said is None or (names == said and said in numbers and words)):
        raise DataError(
            f"One column must be the label. Received: {head[names][:60]!r} and {head[others[0]][:60]!r} in {path}, "
            "which put the images into different classes. Call the right one label, or remove the other."
        )
    unread = tuple(f"column {head[at]}: not read, {head[names]} is the label" for at in others)
    return Columns(image, names, number, split=split, unread=split.unread + unread)


def _same_classes(body: list[Line], first: int, second: int) -> bool:
    """Whether two columns group the images into the same classes under different names."""
    pairs = {(_plain(line.cell(first)), _plain(line.cell(second))) for line in body}
    if any(is_missing(a) != is_missing(b) for a, b in pairs):
        return False
    return len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})


def _plain(label: str) -> str:
    """Normalizes a label for comparison: ``2.0`` becomes ``2``, and accents NFC."""
    return label.partition(".")[0] if is_number(label) else unicodedata.normalize("NFC", label)


def _are_numbers(body: list[Line], column: int) -> bool:
    cells = [cell for line in body if not is_missing(cell := line.cell(column))]
    return bool(cells) and all(map(is_number, cells))


def _one_hot(head: list[str], columns: list[int], body: list[Line]) -> tuple[tuple[int, str], ...]:
    """Columns of 0 and 1 as classes; empty if any other column remains."""
    binary = all(line.cell(at).lower() in _ONE_OR_ZERO for line in body for at in columns)
    return (
        tuple((at, unicodedata.normalize("NFC", head[at])) for at in columns)
        if binary and len(columns) > 1
        else ()
    )


def one_hot_label(columns: Columns, path: Path, line: Line) -> str:
    """The class that a line marks.

    Args:
        columns: The columns of the table.
        path: The table.
        line: The line.

    Raises:
        DataError: It marks no class, or several.
    """
    marked = [name for at, name in columns.one_hot if _ONE_OR_ZERO[line.cell(at).lower()]]
    if len(marked) != 1:
        what = ", ".join(marked[:5])[:120] if marked else "none"
        raise DataError(
            f"An image must have exactly one class. Received: {what} at line {line.number} of {path}. "
            "Multi-label data is not supported; mark one class, or remove the line."
        )
    return marked[0]


def refuse_several_labels(path: Path, head: str, labels: Sequence[str]) -> None:
    """Rejects cells that list several labels: ``cat|dog``, ``["cat", "dog"]``.

    Args:
        path: The table.
        head: The name of the column.
        labels: All its cells.

    Raises:
        DataError: A cell is a list, or all its parts are labels of other images.
    """
    known = set(labels)
    for label in sorted(known):
        listed = label[:1] == "[" and label[-1:] == "]"
        for separator in "|;," + (" " if _key(head) in _PLURAL else ""):
            parts = [part.strip() for part in label.split(separator)]
            listed = listed or (len(parts) > 1 and known.issuperset(parts))
        if listed:
            raise DataError(
                f"An image must have exactly one class. Received: {label[:80]!r} in column {head[:60]!r} of {path}. "
                "Multi-label data is not supported; keep one label per image."
            )


def label_column(head: Sequence[str]) -> int | None:
    """The column with a name for labels; None if there is none.

    Args:
        head: Names of the columns.
    """
    return next(iter(_columns_of([_key(name) for name in head], LABEL_COLUMNS)), None)


def _image_column(images: list[int], body: list[Line], finder: ImageFinder) -> int:
    """Of several candidates, the column whose cells are files: file_name rather than image_id."""
    return next((at for at in images if len(images) > 1 and _are_files(body, at, finder)), images[0])


def _column_of_files(keys: list[str], lines: list[Line], finder: ImageFinder) -> list[int]:
    """The only column whose cells are files, whatever its name; None if there is not exactly one."""
    labels = _columns_of(keys, (*LABEL_COLUMNS, *LESS_CERTAIN))
    found = [at for at in range(len(keys)) if at not in labels and _are_files(lines[1:], at, finder)]
    return found if len(found) == 1 and not _are_files(lines[:1], found[0], finder) else []


def _are_files(lines: list[Line], column: int, finder: ImageFinder) -> bool:
    cells = [cell for line in lines[:20] if (cell := line.cell(column))]
    try:
        return bool(cells) and all(finder.find(cell) is not None for cell in cells)
    except DataError:
        # Several files match, so it does not name one.
        return False


def _columns_of(keys: list[str], names: Sequence[str]) -> list[int]:
    """Positions of the columns with these names, best first."""
    order = {_key(name): place for place, name in enumerate(names)}
    return sorted((at for at, key in enumerate(keys) if key in order), key=lambda at: order[keys[at]])


def _key(name: str) -> str:
    """Normalizes a column name: ``Image Path``, ``image_path`` and ``imagePath`` are equal."""
    return re.sub(r"[\W_]", "", name.casefold())


def _no_columns(path: Path, head: list[str]) -> DataError:
    return DataError(
        f"A CSV must have the columns path and label. Received: {', '.join(head)[:120]} in {path}. {cure_of(path)}"
    )
