"""Columns of a table that say which side an image is on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.dataset import open_dataset

Table = Callable[..., Path]


@pytest.mark.parametrize(
    ("column", "cells"),
    [("train", ("1", "1", "0")), ("Test", ("no", "no", "yes")), ("val", ("False", "False", "True")),
     ("Usage", ("Training", "Training", "PrivateTest"))],
)  # fmt: skip
def test_sides_in_a_column_that_is_called_as_one(table: Table, column: str, cells: tuple[str, ...]) -> None:
    images = open_dataset(table(f"path,label,{column}", lambda p, c, k, n: f"{p},{c},{cells[n]}"))
    assert images.labels == ("daisy", "rose", "tulip")
    assert {item.ref: item.split for item in images.items} == {
        f"{n}.png": "val" if n % 3 == 2 else "train" for n in range(9)
    }


def test_column_that_may_mean_val_or_a_good_picture_is_said_to_be_unread(table: Table) -> None:
    images = open_dataset(table("path,label,valid", lambda p, c, k, n: f"{p},{c},{int(n > 0)}"))
    assert images.skipped == ("column valid: not read; call it is_valid if it says which images are val",)


def test_classes_called_as_sides_are_no_sides(table: Table) -> None:
    images = open_dataset(table("path,train,bus", lambda p, c, k, n: f"{p},{int(k > 0)},{int(k == 0)}"))
    assert images.labels == ("train", "bus")
    counted = table("path,label,test", lambda p, c, k, n: f"{p},{c},{n + 3}")
    assert open_dataset(counted).labels == ("daisy", "rose", "tulip")


def test_fold_beside_a_split_is_said_to_be_unread(table: Table) -> None:
    images = open_dataset(
        table("path,label,split,fold", lambda p, c, k, n: f"{p},{c},{'val' if n == 2 else 'train'},{n}")
    )
    assert images.skipped == ("column fold: not read, the split is given",)
