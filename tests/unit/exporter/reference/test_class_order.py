"""The order of class names that fits a model's answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.dataset import class_order
from exporter.reference.class_order import (
    SIGN_LEVEL,
    find_order,
    is_sorted,
    known_orders,
    sign_p_value,
    undecided,
)

TWELVE = class_order(str(number) for number in range(1, 13))


def orders(*labels: str) -> dict[str, tuple[str, ...]]:
    return {order.words: order.labels for order in known_orders(labels)}


def model_of(
    trained: tuple[str, ...], labels: tuple[str, ...], each: int, accuracy: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a model trained in one order, and the true classes in another."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(len(labels)), each)
    answers = np.array([trained.index(label) for label in labels])[truth]
    wrong = rng.random(len(truth)) >= accuracy
    answers[wrong] = rng.integers(0, len(labels), int(wrong.sum()))
    return np.eye(len(labels), dtype=np.float32)[answers], truth


def test_names_that_all_tools_sort_alike_have_one_order() -> None:
    assert orders("roses", "daisy", "tulips") == {"as text": ("daisy", "roses", "tulips")}
    assert orders(*"0123456789") == {"as text": tuple("0123456789")}
    assert orders("01", "02", "10") == {"as text": ("01", "02", "10")}


def test_orders_of_names_that_tools_sort_differently() -> None:
    assert orders("1", "2", "10") == {"as text": ("1", "10", "2"), "by number": ("1", "2", "10")}
    assert orders("2_x", "10_x") == {
        "as text": ("10_x", "2_x"), "with the numbers in them by value": ("2_x", "10_x"),
    }  # fmt: skip
    assert orders("Zebra", "apple") == {
        "as text": ("Zebra", "apple"), "without regard to case": ("apple", "Zebra"),
    }  # fmt: skip
    assert orders("étoile", "soleil") == {
        "as text": ("soleil", "étoile"), "with accents as signs of their own": ("étoile", "soleil"),
    }  # fmt: skip
    both = orders("B2", "B10", "a")
    assert both["without regard to case, the numbers in them by value"] == ("a", "B2", "B10")
    assert [order.usual for order in known_orders(("1", "2", "10"))] == [True, True]
    assert [order.usual for order in known_orders(("2_x", "10_x"))] == [True, False]


def test_names_in_a_stated_order_are_not_sorted() -> None:
    assert is_sorted(("1", "2", "10"))
    assert is_sorted(("daisy", "roses"))
    assert not is_sorted(("1", "10", "2"))
    assert not is_sorted(("T-shirt/top", "Trouser", "Pullover"))


@given(st.sets(st.text(min_size=1, max_size=6), min_size=2, max_size=12))
def test_orders_are_the_same_names_whatever_they_came_in(names: set[str]) -> None:
    found = known_orders(sorted(names))
    assert all(set(order.labels) == names and len(order.labels) == len(names) for order in found)
    assert len({order.labels for order in found}) == len(found)
    assert found == known_orders(sorted(names, reverse=True))
    # Ours and that of training tools are among them.
    assert {class_order(names), tuple(sorted(names))} <= {order.labels for order in found}


@pytest.mark.parametrize("accuracy", [1.0, 0.5])
@pytest.mark.parametrize("trained", [tuple(sorted(TWELVE)), TWELVE])
def test_order_that_the_model_was_trained_in_is_found(trained: tuple[str, ...], accuracy: float) -> None:
    scores, truth = model_of(trained, TWELVE, 30, accuracy)
    found = find_order(scores, truth, TWELVE)
    assert found.settled is not None
    assert found.settled.labels == trained
    assert found.accuracies[0][1] > 0.4 > 0.2 > found.accuracies[1][1]
    assert "30" not in found.settled.words
    note = found.note("model.keras", 360)
    assert note.index(str(found.settled)) < note.index(str(found.accuracies[1][0]))


def test_order_does_not_depend_on_the_order_of_the_truth() -> None:
    scores, truth = model_of(tuple(sorted(TWELVE)), TWELVE[::-1], 30)
    assert find_order(scores, truth, TWELVE[::-1]).settled == known_orders(TWELVE)[0]


def test_model_that_names_one_class_does_not_settle_it() -> None:
    truth = np.repeat(np.arange(12), 30)
    for named in range(12):
        scores = np.eye(12, dtype=np.float32)[np.full(360, named)]
        assert find_order(scores, truth, TWELVE).settled is None


def test_large_class_does_not_settle_it_against_balanced_accuracy() -> None:
    """Output 1 is "10" as text and "2" by number; that "2" has most of the images proves nothing."""
    truth = np.repeat(np.arange(12), [5, 1000, *[5] * 10])
    scores, _ = model_of(tuple(sorted(TWELVE)), TWELVE, 1)
    scores = scores[truth]
    # It is right on every class but 2, of which it says output 1.
    scores[truth == 1] = np.eye(12, dtype=np.float32)[1]
    found = find_order(scores, truth, TWELVE)
    assert found.best.words == "as text"
    assert found.settled is None


def test_few_images_leave_two_usual_orders_open() -> None:
    """Of three classes two change places: nine images of them are too few, ten are enough."""
    names = class_order(("1", "2", "10"))
    for each, settled in ((4, False), (5, True)):
        scores, truth = model_of(("1", "10", "2"), names, each)
        found = find_order(scores, truth, names)
        assert found.best.labels == ("1", "10", "2")
        assert (found.settled is not None) is settled
        error = str(undecided(found, file="m.onnx", source="photos", images=len(truth)))
        assert "--labels" in error
        assert "\n" not in error


def test_rare_order_must_win_and_does_not_stand_in_the_way() -> None:
    names = ("Oak", "Zelkova", "ash")
    rare = ("ash", "Oak", "Zelkova")
    for trained, each, wanted in ((names, 2, names), (rare, 2, names), (names, 9, names), (rare, 9, rare)):
        scores, truth = model_of(trained, names, each)
        found = find_order(scores, truth, names)
        assert found.settled is not None
        assert found.settled.labels == wanted
        assert found.note("m.onnx", len(truth)).index(str(found.settled)) > 0


def test_sign_test_is_exact() -> None:
    assert sign_p_value(10, 0) == pytest.approx(2**-10)
    assert sign_p_value(9, 1) == pytest.approx(11 * 2**-10)
    assert sign_p_value(9, 0) > SIGN_LEVEL > sign_p_value(10, 0)
    assert sign_p_value(0, 0) == 1.0
    assert sign_p_value(0, 9) == 1.0
