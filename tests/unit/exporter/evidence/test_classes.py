from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, Item
from exporter.evidence import check_classes
from exporter.evidence.classes import class_reports


def answers(*best: int, classes: int = 3) -> np.ndarray:
    scores = np.full((len(best), classes), 0.1, dtype=np.float32)
    scores[np.arange(len(best)), best] = 0.8
    return scores


def images(*present: int, labels: tuple[str, ...]) -> ImageSet:
    items = tuple(Item(f"{index}", label, "val", f"{index:064}") for index, label in enumerate(present))
    return ImageSet("photos", labels, items, lambda item: b"")


def test_classes_without_images_are_an_error_unless_allowed() -> None:
    some = images(0, 2, labels=("ash", "birch", "oak"))
    with pytest.raises(DataError, match=r"1 of 3 classes .* 'birch'.*--missing-classes allow"):
        check_classes(some, "error")
    assert check_classes(some, "allow") == ("birch",)
    assert check_classes(images(0, 1, labels=("ash", "birch")), "error") == ()


def test_many_missing_classes_are_named_in_one_line() -> None:
    with pytest.raises(DataError, match="and 94 more") as caught:
        check_classes(images(0, labels=tuple(f"class {index}" for index in range(100))), "error")
    assert "\n" not in str(caught.value)


def test_class_table_by_hand() -> None:
    truth = np.array([0, 0, 2, 2, 2])
    full, small = answers(0, 1, 2, 2, 0), answers(1, 0, 2, 1, 0)
    ash, oak = class_reports(full, {"int8": small}, truth, ("ash", "birch", "oak"))
    assert (ash.label, ash.n, ash.top1) == ("ash", 2, 0.5)
    assert (ash.artifacts["int8"].lost, ash.artifacts["int8"].won, ash.artifacts["int8"].delta) == (1, 1, 0.0)
    assert (oak.label, oak.n, oak.top1) == ("oak", 3, pytest.approx(2 / 3))
    assert oak.artifacts["int8"].top1 == pytest.approx(1 / 3)
    assert oak.artifacts["int8"].delta == pytest.approx(-1 / 3)
