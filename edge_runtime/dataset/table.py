"""Image sets from a CSV of ``path,label[,split]``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edge_runtime.dataset.files import DiskFiles
from edge_runtime.dataset.folders import from_files
from edge_runtime.dataset.imageset import ImageSet, Split
from edge_runtime.dataset.layout import TEST_NAMES, TRAIN_NAMES, VAL_NAMES
from edge_runtime.dataset.order import class_order, distinct_labels
from edge_runtime.errors import DataError
from edge_runtime.labels import LABELS_FILE

PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "image_path", "filepath")
LABEL_COLUMNS = (
    "label",
    "class",
    "label_name",
    "class_name",
    "category",
    "label_index",
    "class_index",
    "target",
)
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
"""Column names that are understood, best first, in any case."""

_CURE = "Write a header path,label or path,label,split and one image a line."


def from_csv(path: Path, max_bytes: int) -> ImageSet:
    """Opens a CSV; paths are relative to it, and the header may be missing.

    Labels that are integers take their names from a ``labels.txt`` beside the CSV, in
    which line N (from 0) names label N; without one the integers are the names.

    Args:
        path: The CSV file, UTF-8, separated by comma, semicolon or tab.
        max_bytes: Larger image files are skipped.

    Raises:
        DataError: It has other columns, names missing files, or has fewer than two classes.
    """
    rows = _rows(path)
    columns, body = _columns(path, rows)
    files = DiskFiles(path.parent)
    found: dict[str, tuple[str, Split | None]] = {}
    body, skipped = _without_test(body, columns[2])
    for number, row in body:
        ref, label, split = _entry(path, number, row, columns)
        if ref in found:
            if found[ref] != (label, split):
                raise DataError(
                    f"An image must have one label. Received: {ref} as {found[ref][0]!r} and {label!r} "
                    f"(line {number}) in {path}. Remove one of the two lines."
                )
            skipped.append(f"{ref}: listed twice")
            continue
        found[ref] = label, split
    missing = [ref for ref in found if not (path.parent / ref).is_file()]
    if missing:
        raise DataError(
            f"A CSV's paths must exist, relative to the CSV. Received: {len(missing)} of {len(found)} "
            f"missing in {path}, the first is {missing[0]}. Correct the paths."
        )
    labels, index = _labels(path, [label for label, _ in found.values()])
    if len(labels) < 2:
        raise DataError(
            f"DATA must have at least two classes. Received: {len(labels)} in {path}. Label every image."
        )
    listed = [(ref, index[label], split) for ref, (label, split) in found.items()]
    data = from_files(files, labels, listed, tuple(skipped), max_bytes)
    return ImageSet(str(path), data.labels, data.items, data.reader, data.skipped)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Lines that are not empty, each with its number from 1."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = text.split("\n", 1)[0]
        separator = max(",;\t", key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"A CSV must be UTF-8 text. Received: {path} ({error}). {_CURE}") from error
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise DataError(f"A CSV must have lines. Received: an empty file, {path}. {_CURE}")
    return rows


def _columns(
    path: Path, rows: list[tuple[int, list[str]]]
) -> tuple[tuple[int, int, int | None], list[tuple[int, list[str]]]]:
    """Indices of path, label and split, and the lines below the header."""
    head = [cell.lower() for cell in rows[0][1]]
    image, label = _find(head, PATH_COLUMNS), _find(head, LABEL_COLUMNS)
    if image is not None and label is not None:
        if len(rows) == 1:
            raise DataError(f"A CSV must list images. Received: a header alone in {path}. {_CURE}")
        return (image, label, _find(head, SPLIT_COLUMNS)), rows[1:]
    if len(head) in (2, 3) and (path.parent / rows[0][1][0]).is_file():
        return (0, 1, 2 if len(head) == 3 else None), rows
    raise DataError(
        f"A CSV must have the columns path and label. Received: {', '.join(rows[0][1])[:120]} in {path}. "
        f"{_CURE}"
    )


def _find(head: Sequence[str], names: Sequence[str]) -> int | None:
    return next((head.index(name) for name in names if name in head), None)


def _without_test(
    body: list[tuple[int, list[str]]], split: int | None
) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """The lines without those of a test split beside val, as with folders; and what was left out."""
    if split is None:
        return body, []
    sides = [row[split].lower() if len(row) > split else "" for _, row in body]
    if not any(side in VAL_NAMES and side not in TEST_NAMES for side in sides):
        return body, []
    kept = [line for line, side in zip(body, sides, strict=True) if side not in TEST_NAMES]
    skipped = [
        f"line {number}: neither in the train nor in the val split"
        for (number, _), side in zip(body, sides, strict=True) if side in TEST_NAMES
    ]  # fmt: skip
    return kept, skipped


def _entry(
    path: Path, number: int, row: list[str], columns: tuple[int, int, int | None]
) -> tuple[str, str, Split | None]:
    image, label, split = columns
    if len(row) <= max(image, label, split or 0) or not row[image] or not row[label]:
        raise DataError(
            f"Every line of a CSV must have a path and a label. Received: line {number} of {path}, "
            f"{','.join(row)[:120]!r}. Complete or remove it."
        )
    ref = str(PurePosixPath(row[image].replace("\\", "/")))
    if split is None:
        return ref, row[label], None
    name = row[split].lower()
    if name in TRAIN_NAMES:
        return ref, row[label], "train"
    if name in VAL_NAMES:
        return ref, row[label], "val"
    raise DataError(
        f"A split must be train or val. Received: {row[split]!r} at line {number} of {path}. Correct it."
    )


def _labels(path: Path, used: list[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names, and the index of each label as written."""
    beside = path.parent / LABELS_FILE
    if not beside.is_file() or not all(label.isascii() and label.isdigit() for label in used):
        names = class_order(used)
        return names, {name: place for place, name in enumerate(names)}
    try:
        lines = beside.read_text("utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{LABELS_FILE} must be UTF-8 text. Received: {beside} ({error}). Save it so."
        ) from error
    highest = max(int(label) for label in used)
    if highest >= len(lines):
        raise DataError(
            f"A label must be a line of {LABELS_FILE}, counted from 0. Received: label {highest} in {path}, "
            f"{len(lines)} lines in {beside}. Correct one of the two."
        )
    return distinct_labels([line.strip() for line in lines]), {label: int(label) for label in used}
