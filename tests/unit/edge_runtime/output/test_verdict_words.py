"""The words of tables and plain lines for what rules say."""

from __future__ import annotations

from edge_runtime.engines.result import Prediction, Result
from edge_runtime.output.verdict_words import candidates, sentences, verdict

MANY = tuple(Prediction(f"label {index}", index, 0.1) for index in range(7))


def test_each_result_has_one_word() -> None:
    assert verdict(Result(MANY, 0.0)) == ""
    assert verdict(Result(MANY, 0.0, candidates=MANY)) == ""
    assert verdict(Result(MANY, 0.0, answered=True)) == "answered"
    assert verdict(Result((), 0.0, known=True, answered=False)) == "not sure"
    assert verdict(Result(MANY, 0.0, known=False, answered=False)) == "unknown"


def test_candidates_are_cut_and_never_those_of_an_unknown_thing() -> None:
    assert candidates(Result(MANY, 0.0, candidates=MANY)) == ", ".join(
        [f"label {index}" for index in range(4)] + ["label 4 and 2 more"]
    )
    assert candidates(Result(MANY, 0.0, known=False, answered=False, candidates=MANY)) == ""
    # A label may be anything; a terminal must not run it.
    assert candidates(Result((), 0.0, candidates=(Prediction("a\x1b[31m\n", 0, 1.0),))).isprintable()


def test_a_person_is_told_what_is_wrong_and_nothing_else() -> None:
    assert sentences(Result(MANY, 0.0, known=True, answered=True, candidates=MANY[:1])) == []
    doubted = [text for text, _ in sentences(Result(MANY, 0.0, answered=False, candidates=MANY[:2]))]
    assert doubted[0].startswith("Not sure")
    assert doubted[1:] == ["Candidates: label 0, label 1"]
    (text, style), *rest = sentences(Result(MANY, 0.0, known=False, answered=False, candidates=MANY))
    assert text.startswith("Unknown")
    assert "red" in style
    assert rest == []
