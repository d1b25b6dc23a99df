"""Which images are worth a look, and what is said of them."""

from __future__ import annotations

import numpy as np

from trainer.analysis.notable_images import case, closest_calls, surest_mistakes, surest_right

SCORES = np.array(
    [[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.34, 0.33, 0.33], [0.6, 0.4, 0.0]], np.float32
)
TARGETS = np.array([0, 2, 0, 0, 1])
IMAGE = np.zeros((8, 8, 3), np.uint8)


def test_surest_mistakes_are_wrong_answers_by_confidence() -> None:
    assert surest_mistakes(SCORES, TARGETS, 12).tolist() == [2, 4, 1]
    assert surest_mistakes(SCORES, TARGETS, 2).tolist() == [2, 4]
    assert surest_mistakes(SCORES[[0, 3]], TARGETS[[0, 3]], 12).tolist() == []


def test_closest_calls_have_the_smallest_gap_of_the_two_best() -> None:
    # Gaps: 0.8, 0.2, 0.7, 0.01, 0.2; 0.5 - 0.3 is a little under 0.6 - 0.4 in float32 or over it.
    order = closest_calls(SCORES, 5).tolist()
    assert order[0] == 3
    assert set(order[1:3]) == {1, 4}
    assert order[3:] == [2, 0]
    assert closest_calls(np.ones((3, 1), np.float32), 5).tolist() == []


def test_surest_right_takes_another_class_each_while_it_can() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]], np.float32)
    assert surest_right(scores, np.array([0, 0, 1, 0]), 3).tolist() == [0, 2, 1]


def test_every_score_is_shown_of_few_classes_best_first() -> None:
    found = case(IMAGE, "a.jpg", SCORES[1], ("x", "y", "z"), 2)
    assert [(bar.label, round(bar.score, 3), bar.true) for bar in found.bars] == [
        ("y", 0.5, False), ("z", 0.3, True), ("x", 0.2, False)
    ]  # fmt: skip
    assert (found.truth, found.answer, found.hidden) == ("z", "y", 0)
    assert round(found.margin, 3) == 0.2


def test_of_many_classes_the_best_and_the_true_one_are_shown() -> None:
    scores = np.linspace(0, 1, 50, dtype=np.float32)
    labels = tuple(f"c{index}" for index in range(50))
    found = case(IMAGE, "a.jpg", scores / scores.sum(), labels, 3)
    assert [bar.label for bar in found.bars] == ["c49", "c48", "c47", "c46", "c45", "c3"]
    assert found.hidden == 44
    unknown = case(IMAGE, "a.jpg", scores, labels, None)
    assert unknown.truth is None
    assert not any(bar.true for bar in unknown.bars)
