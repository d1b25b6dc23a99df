"""The split of each image in a table: words, fastai's ``is_valid``, or folds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from edge_runtime.common.errors import DataError
from edge_runtime.dataset.imageset import Split
from edge_runtime.dataset.layout import TEST_NAMES, TRAIN_NAMES, VAL_NAMES
from edge_runtime.dataset.table_rows import Line

Side = Literal["train", "val", "test"]

SPLIT_COLUMNS = ("split", "splits", "set", "subset", "partition", "datasplit", "usage")
FOLD_COLUMNS = ("fold", "folds", "kfold", "foldid", "cvfold")
_FLAGS: dict[str, Side] = {
    "isvalid": "val", "isval": "val", "isvalidation": "val", "istrain": "train", "istraining": "train",
    "istrainingimage": "train", "istest": "test", "istesting": "test",
}  # fmt: skip
_FLAGS_BESIDE_LABELS: dict[str, Side] = {
    "train": "train", "training": "train", "val": "val", "validation": "val", "test": "test", "testing": "test",
}  # fmt: skip
"""Without labels these may be classes; ``valid`` may also mean that an image is usable."""

_SIDES: dict[str, Side] = {
    **dict.fromkeys((*VAL_NAMES, "dev", "development", "eval", "evaluation"), "val"),
    # The two test sets of Kaggle, as in FER2013.
    **dict.fromkeys((*TEST_NAMES, "publictest", "privatetest"), "test"),
    **dict.fromkeys((*TRAIN_NAMES, "trn"), "train"),
}
_YES = frozenset(("1", "1.0", "true", "t", "yes", "y"))
_NO = frozenset(("0", "0.0", "false", "f", "no", "n"))


class SplitColumns(NamedTuple):
    """Columns that give the split of an image.

    Attributes:
        words: Columns of train, val or test.
        flags: Columns of yes or no, and the split that yes means.
        unread: Possible split columns that are not read, as ``column: reason``.
        all: All of these columns.
    """

    words: tuple[int, ...] = ()
    flags: tuple[tuple[int, Side], ...] = ()
    unread: tuple[str, ...] = ()
    all: frozenset[int] = frozenset()


def split_columns(
    path: Path, head: list[str], keys: list[str], body: list[Line], taken: set[int], labelled: bool
) -> SplitColumns:
    """Finds the columns that decide the split.

    Args:
        path: The table.
        head: Names of the columns as written.
        keys: The normalized names.
        body: The lines below the header.
        taken: Columns with another meaning.
        labelled: Whether a column has a name for labels.

    Raises:
        DataError: There are folds, but nothing says which one is val.
    """
    free = [at for at in range(len(keys)) if at not in taken]
    words = [at for at in free if keys[at] in SPLIT_COLUMNS or _says_sides(body, at)]
    flags = [
        (at, side) for at in free
        if at not in words and (side := _flag_of(keys[at], labelled and _says_yes_or_no(body, at)))
    ]  # fmt: skip
    folds = [at for at in free if keys[at] in FOLD_COLUMNS and at not in words]
    if folds and not words and not flags:
        found = sorted({line.cell(folds[0]) for line in body})
        name = head[folds[0]][:60]
        raise DataError(
            f"A table with folds must say which one is val. Received: column {name!r} of {path} with "
            f"{', '.join(found[:5])[:80]} and no split. Add a column split that is val for the lines of one fold and "
            f"train for the others, or remove {name!r} to split by content."
        )
    unread = tuple(f"column {head[at]}: not read, the split is given" for at in folds) + tuple(
        f"column {head[at]}: not read; call it is_valid if it says which images are val"
        for at in free
        if keys[at] == "valid" and at not in words and labelled and _says_yes_or_no(body, at)
    )
    used = frozenset((*words, *(at for at, _ in flags), *folds))
    return SplitColumns(tuple(words), tuple(flags), unread, used)


def side_of(split: SplitColumns, path: Path, line: Line) -> Side | None:
    """The split of a line.

    Args:
        split: The columns that decide.
        path: The table.
        line: The line.

    Returns:
        None if the table does not give splits.

    Raises:
        DataError: The value is unknown, or two columns contradict each other.
    """
    said = [_side_of_word(path, line, at) for at in split.words]
    if split.flags:
        said.append(_side_of_flags(split.flags, path, line))
    if len(set(said)) > 1:
        raise DataError(
            f"An image must be in one split. Received: {' and '.join(dict.fromkeys(said))} at line {line.number} of "
            f"{path}. Correct the line or remove one of the columns."
        )
    return said[0] if said else None


def sides_of_folders(paths: Sequence[str]) -> list[Side] | None:
    """The splits in paths: ``train/cats/0.jpg`` beside ``val/cats/1.jpg``.

    Args:
        paths: Paths as written in the table.

    Returns:
        The split per path; None unless a folder level has only names of splits, train and another one.
    """
    folders = [path.replace("\\", "/").lower().removeprefix("./").split("/")[:-1] for path in paths]
    for level in range(min(map(len, folders), default=0)):
        words = [parts[level] for parts in folders]
        if (
            set(words) <= _SIDES.keys()
            and (sides := [_SIDES[word] for word in words])
            and {*sides} > {"train"}
        ):
            return sides
    return None


def settled_sides(
    sides: Iterable[Side | None], unlabelled: set[Side]
) -> dict[Side | None, Split | Literal[""] | None]:
    """Maps each split to train, val, split by content (None), or not part of the set (empty).

    Test becomes val if there is no val; otherwise, or without labels, it is ignored, like a test
    folder. If all images are train, they are split by content, like a lone train folder.

    Args:
        sides: The splits that occur.
        unlabelled: Splits of which no image has a label.
    """
    found = {side for side in sides if side is not None}
    test_judges = "val" not in found and "test" not in unlabelled
    judged = "val" in found or ("test" in found and test_judges)
    return {
        None: None,
        "train": "train" if judged else None,
        "val": "val",
        "test": "val" if test_judges else "",
    }


def _flag_of(key: str, beside_labels: bool) -> Side | None:
    """The split that a yes in a column of this name means."""
    return _FLAGS.get(key) or (_FLAGS_BESIDE_LABELS.get(key) if beside_labels else None)


def _says_yes_or_no(body: list[Line], column: int) -> bool:
    return {line.cell(column).lower() for line in body} <= _YES | _NO


def _says_sides(body: list[Line], column: int) -> bool:
    """Whether a column holds only names of splits, train and another one."""
    words = {line.cell(column).lower() for line in body}
    return words <= _SIDES.keys() and {_SIDES[word] for word in words} > {"train"}


def _side_of_word(path: Path, line: Line, column: int) -> Side:
    side = _SIDES.get(line.cell(column).lower())
    if side is None:
        raise DataError(
            f"A split must be train or val. Received: {line.cell(column)[:80]!r} at line {line.number} of {path}. "
            "Correct it."
        )
    return side


def _side_of_flags(flags: tuple[tuple[int, Side], ...], path: Path, line: Line) -> Side:
    yes: set[Side] = set()
    for column, side in flags:
        cell = line.cell(column).lower()
        if cell in _YES or _SIDES.get(cell) == side:
            yes.add(side)
        elif cell not in _NO and cell not in _SIDES:
            raise DataError(
                f"A column is_valid must hold True or False. Received: {line.cell(column)[:80]!r} at line "
                f"{line.number} of {path}. Correct it."
            )
    if len(yes) > 1:
        raise DataError(
            f"An image must be in one split. Received: {' and '.join(sorted(yes))} at line {line.number} of {path}. "
            "Correct the line or remove one of the columns."
        )
    if yes:
        return yes.pop()
    # None of the columns applies.
    asked = {side for _, side in flags}
    return "train" if "train" not in asked else "val" if "val" not in asked else "test"
