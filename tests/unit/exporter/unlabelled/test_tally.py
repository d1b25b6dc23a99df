from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.asked_case import made_table
from edge_runtime.common.arrays import IntArray
from exporter.statistics.gate import decide
from exporter.statistics.gate_limits import gate_limits
from exporter.unlabelled.answers import Answer
from exporter.unlabelled.differing import Answers, Photo, differing_photos
from exporter.unlabelled.tally import Tally, tally

LABELS = ("a", "b", "c")


def labelled(truth: IntArray, full: IntArray, own: IntArray, margin: float) -> str:
    lost = int(np.sum((full == truth) & (own != truth)))
    won = int(np.sum((full != truth) & (own == truth)))
    return decide(lost, won, len(truth), margin)


def case(
    full: list[int], own: list[int], copies: list[int] | None = None
) -> tuple[Answers, tuple[Photo, ...]]:
    answers = Answers(np.array(full), {"small": np.array(own)})
    return answers, differing_photos(answers, made_table(copies or list(range(len(full))), LABELS))


def result(answers: Answers, photos: tuple[Photo, ...], said: dict[str, Answer], margin: float) -> Tally:
    return tally(answers.full, answers.artifacts["small"], photos, said, margin=margin)


@st.composite
def tables(draw: st.DrawFn) -> tuple[IntArray, IntArray, IntArray, list[int]]:
    """Truth, two models' answers, and which photos are copies: few differ, so that all labellings can be tried."""
    # Few sizes: the table of each takes a moment.
    n, extra = draw(st.sampled_from([9, 30])), draw(st.lists(st.integers(0, 4), max_size=3))
    contents = n - len(extra)
    truth = np.array(draw(st.lists(st.integers(0, 2), min_size=contents, max_size=contents)))
    full, own = truth.copy(), truth.copy()
    for place in draw(st.lists(st.integers(0, contents - 1), max_size=4, unique=True)):
        full[place], own[place] = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    copies = [*range(contents), *extra]
    return truth[copies], full[copies], own[copies], copies


@settings(max_examples=30, deadline=None)
@given(tables(), st.sampled_from([0.1, 0.3]), st.data())
def test_no_labelling_contradicts_a_verdict_and_an_open_one_is_open(
    table: tuple[IntArray, IntArray, IntArray, list[int]], margin: float, data: st.DataObject
) -> None:
    truth, full, own, copies = table
    answers, photos = case(full.tolist(), own.tolist(), copies)
    told = data.draw(st.lists(st.sampled_from(photos), unique=True)) if photos else []
    said: dict[str, Answer] = {photo.sha256: int(truth[photo.rows[0]]) for photo in told}
    verdict = result(answers, photos, said, margin).verdict
    open_ = [photo for photo in photos if photo.sha256 not in said]
    endings = set()
    for labels in itertools.product(range(len(LABELS)), repeat=len(open_)):
        whole = truth.copy()
        for photo, label in zip(open_, labels, strict=True):
            whole[photo.rows] = label
        endings.add(labelled(whole, full, own, margin))
    assert verdict == (endings.pop() if len(endings) == 1 else "inconclusive")
    every: dict[str, Answer] = {photo.sha256: int(truth[photo.rows[0]]) for photo in photos}
    assert result(answers, photos, every, margin).verdict == labelled(truth, full, own, margin)


def test_without_answers_it_may_pass_and_never_fails() -> None:
    for differing, verdict in ((0, "pass"), (1, "pass"), (40, "inconclusive"), (390, "inconclusive")):
        answers, photos = case([0] * 390, [1] * differing + [0] * (390 - differing))
        assert result(answers, photos, {}, 0.02).verdict == verdict


def test_words_add_nothing_and_cannot_tell_stays_open() -> None:
    answers, photos = case([0] * 200, [1, 1, 1, 2] + [0] * 196)
    words: tuple[Answer, ...] = ("(neither)", "(both)", "(cannot tell)", 2)
    said = {photo.sha256: word for photo, word in zip(photos, words, strict=True)}
    by_row = {int(photo.rows[0]): said[photo.sha256] for photo in photos}
    found = result(answers, photos, said, 0.02)
    assert (found.lost, found.won, found.answered, found.untold) == (0, by_row[3] == 2, 3, 1)
    assert found.unanswered == 1


def test_copies_are_asked_once_and_counted_as_often_as_they_occur() -> None:
    answers, photos = case([0, 0, 0, 0], [1, 1, 0, 1], [7, 7, 8, 9])
    assert [len(photo.rows) for photo in photos] in ([2, 1], [1, 2])
    assert result(answers, photos, {}, 0.3).unanswered == 3
    found = result(answers, photos, {photo.sha256: 0 for photo in photos}, 0.3)
    assert (found.lost, found.answered) == (3, 3)


def test_the_order_of_the_buttons_does_not_say_whose_they_are_and_stays() -> None:
    answers, photos = case([0] * 20, [1] * 20)
    assert {photo.classes for photo in photos} == {(0, 1), (1, 0)}
    again = differing_photos(answers, made_table(list(range(20)), LABELS))
    assert [photo.classes for photo in again] == [photo.classes for photo in photos]


def test_answers_needed_settle_it_and_fewer_do_not() -> None:
    answers, photos = case([0] * 390, [1] * 19 + [0] * 371)
    found = result(answers, photos, {}, 0.02)
    least, about = found.at_least(), found.about()
    assert least is not None
    assert about is not None
    assert least <= about <= 19

    def after(count: int, answer: Answer) -> str:
        return result(answers, photos, {photo.sha256: answer for photo in photos[:count]}, 0.02).verdict

    assert (after(about, "(neither)"), after(about - 1, "(neither)")) == ("pass", "inconclusive")
    ends = [after(least, 0), after(least, 1)]
    assert ends != ["inconclusive"] * 2
    assert [after(least - 1, 0), after(least - 1, 1)] == ["inconclusive"] * 2


def test_reasons_say_what_would_settle_it() -> None:
    answers, photos = case([0] * 390, [1] * 19 + [0] * 371)
    assert "would settle it" in result(answers, photos, {}, 0.02).reason()
    untold: dict[str, Answer] = {photo.sha256: "(cannot tell)" for photo in photos}
    assert "nobody can tell, and no answers" in result(answers, photos, untold, 0.02).reason()
    lost: dict[str, Answer] = {photo.sha256: 0 for photo in photos}
    assert "worse by more than 2 points" in result(answers, photos, lost, 0.02).reason()
    half: dict[str, Answer] = {photo.sha256: 0 for photo in photos[:4]}
    assert "if they go on like this" in result(answers, photos, half, 0.02).reason()


@pytest.mark.parametrize("n", [1, 4, 9])
def test_the_table_is_the_gate(n: int) -> None:
    for margin in (0.01, 0.0123456, 0.3, 0.9):
        limits = gate_limits(n, margin)
        for lost in range(0, n + 1, 1 + n // 10):
            for won in range(0, n + 1 - lost, 1 + n // 10):
                assert limits.settled(lost, won, 0) == decide(lost, won, n, margin)
