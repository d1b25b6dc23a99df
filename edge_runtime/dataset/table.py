"""Image sets from a table of paths and labels: CSV, ``metadata.csv``, ``metadata.jsonl``, ``_classes.csv``."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import NamedTuple

from edge_runtime.bundle.labels import LABELS_FILE, settled
from edge_runtime.common.errors import DataError
from edge_runtime.dataset.imageset import ImageSet, Split, class_order, distinct_labels
from edge_runtime.dataset.labelled_files import from_files
from edge_runtime.dataset.layout import VAL_NAMES
from edge_runtime.dataset.table_columns import (
    ONE_HOT_FILE,
    Columns,
    is_number,
    one_hot_label,
    read_columns,
    refuse_several_labels,
)
from edge_runtime.dataset.table_rows import ImageFinder, Line, is_missing, read_lines
from edge_runtime.dataset.table_splits import Side, settled_sides, side_of, sides_of_folders

KNOWN_TABLES = ("metadata.csv", "metadata.jsonl", ONE_HOT_FILE)
"""Names of the tables that Hugging Face and Roboflow put beside the images, one per split."""


class _Line(NamedTuple):
    """A line that labels an image."""

    line: Line
    ref: str
    label: str
    split: Split | None


def from_csv(path: Path, max_bytes: int) -> ImageSet:
    """Opens a table of paths and labels; its header may be missing.

    The table is CSV (comma, semicolon, tab or bar; UTF-8 or UTF-16) or JSON Lines. Paths are relative
    to it. Numeric labels take their names from another column, or else from a ``labels.txt`` beside
    the table, in which line N (from 0) names label N; without either, the numbers are the names.
    Columns of 0 and 1, one per class, are labels, too.

    Args:
        path: The file.
        max_bytes: Larger image files are skipped.

    Raises:
        DataError: It has other columns, names missing files, or has fewer than two classes.
    """
    lines = read_lines(path)
    finder = ImageFinder(path)
    columns, body = read_columns(path, lines, finder)
    entries, skipped = _entries(path, columns, body, finder)
    if columns.label >= 0:
        heading = lines[0].cell(columns.label) if body is not lines else ""
        refuse_several_labels(path, heading, [entry.label for entry in entries])
    labels, index = _classes(path, columns, entries)
    if len(labels) < 2:
        raise DataError(
            f"DATA must have at least two classes. Received: {len(labels)} in {path}. Label every image."
        )
    found = _without_repeats(path, entries, skipped)
    listed = [(entry.ref, index[entry.label], entry.split) for entry in found]
    data = from_files(finder.files, labels, listed, (*columns.unread, *skipped), max_bytes)
    return ImageSet(str(path), data.labels, data.items, data.reader, data.skipped)


def _entries(
    path: Path, columns: Columns, body: list[Line], finder: ImageFinder
) -> tuple[list[_Line], list[str]]:
    """The lines that are part of the set, and the skipped ones."""
    sides: list[Side | None] = [side_of(columns.split, path, line) for line in body]
    if None in sides:
        by_folder = sides_of_folders([line.cell(columns.image) for line in body])
        sides = [*by_folder] if by_folder else [_side_of_place(path)] * len(body)
    labelled = {side for side, line in zip(sides, body, strict=True) if _has_label(columns, line)}
    unlabelled: set[Side] = {side for side in sides if side is not None and side not in labelled}
    becomes = settled_sides(sides, unlabelled)
    entries, skipped, missing = [], [], []
    for line, side in zip(body, sides, strict=True):
        split = becomes[side]
        if split == "":
            skipped.append(f"line {line.number}: neither in the train nor in the val split")
            continue
        label = _label(path, columns, line)
        ref = finder.find(line.cell(columns.image))
        if ref is None:
            missing.append(line.cell(columns.image))
        else:
            entries.append(_Line(line, ref, label, split))
    if missing:
        cure = (
            "Download the images and write where they are." if "://" in missing[0] else "Correct the paths."
        )
        raise DataError(
            f"A CSV's paths must exist, relative to the CSV. Received: {len(missing)} of "
            f"{len(missing) + len(entries)} missing in {path}, the first is {missing[0][:120]!r}. {cure}"
        )
    return entries, skipped


def _side_of_place(path: Path) -> Side | None:
    """Val for a Hugging Face or Roboflow table in a folder val/ or test/, which is not split again."""
    known = path.name.lower() in KNOWN_TABLES
    return "val" if known and path.parent.name.lower() in VAL_NAMES else None


def _has_label(columns: Columns, line: Line) -> bool:
    return bool(columns.one_hot) or not is_missing(line.cell(columns.label))


def _label(path: Path, columns: Columns, line: Line) -> str:
    """The label of a line as written, or the class marked in its one-hot columns."""
    if is_missing(line.cell(columns.image)) or not _has_label(columns, line):
        raise DataError(
            f"Every line of a CSV must have a path and a label. Received: line {line.number} of {path}, "
            f"{','.join(line.cells)[:120]!r}. Complete or remove it; a class with that name must be renamed."
        )
    if columns.one_hot:
        return one_hot_label(columns, path, line)
    return settled(unicodedata.normalize("NFC", line.cell(columns.label)))


def _without_repeats(path: Path, entries: list[_Line], skipped: list[str]) -> list[_Line]:
    """Each image once; records the repeated lines."""
    found: dict[str, _Line] = {}
    for entry in entries:
        known = found.setdefault(entry.ref, entry)
        if known is entry:
            continue
        if (known.label, known.split) != (entry.label, entry.split):
            first, second = (
                (known.label, entry.label) if known.label != entry.label else (known.split, entry.split)
            )
            rule = "one label" if known.label != entry.label else "in one split"
            raise DataError(
                f"An image must have {rule}. Received: {entry.ref} as {str(first)[:60]!r} and {str(second)[:60]!r} "
                f"(line {entry.line.number}) in {path}. Remove one of the two lines."
            )
        skipped.append(f"{entry.ref}: listed twice")
    return list(found.values())


def _classes(path: Path, columns: Columns, entries: list[_Line]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names, and the class index of each label as written."""
    used = dict.fromkeys(entry.label for entry in entries)
    if columns.one_hot:
        names = tuple(name for _, name in columns.one_hot if name in used)
        return names, {name: place for place, name in enumerate(names)}
    named = _labels_file(path)
    if columns.number is not None:
        numbers = {entry.label: _integer(entry.line.cell(columns.number)) for entry in entries}
        if all(0 <= n < len(named) and named[n] == label for label, n in numbers.items()):
            return distinct_labels(named), numbers
        names = tuple(sorted(numbers, key=lambda label: numbers[label]))
        return names, {name: place for place, name in enumerate(names)}
    if not used or not all(map(is_number, used)):
        names = class_order(used)
        return names, {name: place for place, name in enumerate(names)}
    plain = {label: label.partition(".")[0] for label in used}
    numbers = {label: _integer(label) for label in used}
    if not named:
        names = class_order(plain.values())
        return names, {label: names.index(name) for label, name in plain.items()}
    wrong = [plain[label] for label, number in numbers.items() if not 0 <= number < len(named)]
    if wrong:
        raise DataError(
            f"A label must be a line of {LABELS_FILE}, counted from 0. Received: label {wrong[0]} in {path}, "
            f"{len(named)} lines in {path.parent / LABELS_FILE}. Correct one of the two."
        )
    return distinct_labels(named), numbers


def _integer(number: str) -> int:
    return int(number.partition(".")[0])


def _labels_file(path: Path) -> list[str]:
    """The lines of a ``labels.txt`` beside the table; empty without one."""
    beside = path.parent / LABELS_FILE
    if not beside.is_file():
        return []
    try:
        return [line.strip() for line in beside.read_text("utf-8-sig").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{LABELS_FILE} must be UTF-8 text. Received: {beside} ({error}). Save it so."
        ) from error
