"""Classes, parity, attribution and the Pareto set: measures on scores that are there."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, Item
from exporter.evidence import check_classes
from exporter.evidence.classes import class_reports
from exporter.evidence.diagnostics import model_steps, step
from exporter.judge.judging import FULL_MODEL, parity_report
from exporter.judge.verdict import on_front


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


def test_parity_is_symmetric_and_right() -> None:
    full, one, two = answers(0, 1, 2, 0), answers(0, 1, 2, 1), answers(1, 1, 2, 1)
    found = parity_report(full, {"a": one, "b": two})
    assert found.names == (FULL_MODEL, "a", "b")
    table, change = np.array(found.agreement), np.array(found.max_abs_dp)
    assert (table == table.T).all()
    assert (change == change.T).all()
    assert table[0].tolist() == [1.0, 0.75, 0.5]
    assert table[1, 2] == 0.75
    assert change[0, 1] == pytest.approx(0.7)
    assert change.diagonal().tolist() == [0.0, 0.0, 0.0]


def test_attribution_splits_the_disagreements_exactly() -> None:
    # Image 1 moves in conversion, 2 in quantization, 3 in both, 4 moves and comes back.
    full = answers(0, 0, 0, 0, 0)
    converted, quantized = answers(0, 1, 0, 1, 1), answers(0, 1, 2, 2, 0)
    total, (conversion, quantization) = model_steps(full, converted, quantized, is_float=False)
    assert total == 3
    assert (conversion.share, quantization.share) == (2, 1)
    assert (conversion.changed, quantization.changed) == (3, 3)
    assert (conversion.name, quantization.name) == ("conversion", "quantization")


@pytest.mark.parametrize(("is_float", "name"), [(True, "conversion"), (False, "conversion and quantization")])
def test_attribution_without_a_float_file_is_one_step(is_float: bool, name: str) -> None:
    total, steps = model_steps(answers(0, 1), None, answers(0, 2), is_float=is_float)
    assert (total, [one.name for one in steps], steps[0].share) == (1, [name], 1)


def test_step_is_the_mean_of_the_largest_changes() -> None:
    before = np.array([[0.5, 0.5], [0.9, 0.1]], dtype=np.float32)
    after = np.array([[0.6, 0.4], [0.9, 0.1]], dtype=np.float32)
    assert step("engine", before, after, "").dp == pytest.approx(0.05)


def test_pareto_set_by_hand() -> None:
    points = [(10.0, 5.0, -0.9), (3.0, 2.0, -0.89), (3.0, 3.0, -0.89), (4.0, 1.0, -0.8), (11.0, 6.0, -0.9)]
    assert on_front(points) == [True, True, False, True, False]


def test_equals_do_not_beat_each_other() -> None:
    assert on_front([(1.0, 1.0, -0.5), (1.0, 1.0, -0.5)]) == [True, True]
