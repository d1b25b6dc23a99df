"""Scores and options -> the classes that are an answer."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError, UnknownNameError, UsageError
from edge_runtime.engines.result import Result, rank
from edge_runtime.options import ResultOptions, softened
from exporter.evidence.temperature import softened as fitted_with

LABELS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
SCORES = np.array([0.05, 0.5, 0.3, 0.05, 0.1], np.float32)


def answer(top_k: int = 5, fitted: float = 1.0, **options: object) -> Result:
    return ResultOptions(**options).bound_to(LABELS, fitted).rank(SCORES, top_k)  # type: ignore[arg-type]


def named(result: Result) -> list[str]:
    return [entry.label for entry in result.predictions]


def test_no_option_is_the_plain_ranking() -> None:
    assert answer(3) == rank(SCORES, LABELS, 3)


def test_max_results_goes_before_top_k() -> None:
    assert named(answer(5, max_results=2)) == ["dandelion", "roses"]
    assert len(answer(1, max_results=-1).predictions) == len(LABELS)


def test_threshold_keeps_equal_scores_and_leaves_the_margin() -> None:
    result = answer(score_threshold=float(SCORES[2]))
    assert named(result) == ["dandelion", "roses"]
    assert result.margin == rank(SCORES, LABELS, 5).margin


def test_nothing_over_the_threshold_is_an_empty_result() -> None:
    result = answer(score_threshold=0.9)
    assert not result
    assert answer(score_threshold=0.4)
    assert result.to_dict() | {"margin": 0} == {"label": None, "score": None, "margin": 0, "predictions": []}
    with pytest.raises(UsageError, match="if result"):
        _ = result.top


def test_lists_keep_index_score_and_order() -> None:
    allowed = answer(category_allowlist=["tulips", "roses", "daisy"])
    assert [(entry.label, entry.index) for entry in allowed.predictions] == [
        ("roses", 2), ("tulips", 4), ("daisy", 0),
    ]  # fmt: skip
    assert allowed.top.score == float(SCORES[2])
    assert allowed.margin == pytest.approx(0.2)
    assert named(answer(category_denylist=["dandelion", "daisy"])) == ["roses", "tulips", "sunflowers"]
    assert named(answer(1, category_denylist=["dandelion"])) == ["roses"]
    assert answer(category_allowlist=["roses"]).margin == pytest.approx(0.7)


def test_label_that_occurs_twice_means_both_classes() -> None:
    bound = ResultOptions(category_allowlist=["crane"]).bound_to(("crane", "dog", "crane"), 1.0)
    found = bound.rank(np.array([0.1, 0.6, 0.3], np.float32), 5)
    assert [entry.index for entry in found.predictions] == [2, 0]


def test_unknown_label_names_the_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"'Dandelions'. Did you mean: dandelion"):
        answer(category_allowlist=["Dandelions"])
    with pytest.raises(UnknownNameError, match="daisy, dandelion, roses"):
        answer(category_denylist=["xyz"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_results": 0}, "max_results"),
        ({"max_results": -2}, "max_results"),
        ({"score_threshold": 1.5}, "score_threshold"),
        ({"score_threshold": float("nan")}, "score_threshold"),
        ({"temperature": 0.0}, "0.01..100"),
        ({"temperature": float("nan")}, "0.01..100"),
        ({"temperature": "warm"}, "artifact, a number"),
        ({"category_allowlist": "roses"}, "must be a list"),
        (
            {"category_allowlist": ["roses"], "category_denylist": ["tulips"]},
            "An allowlist excludes a denylist",
        ),
        ({"category_denylist": LABELS}, "At least one class"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        answer(**options)


def test_temperature_comes_before_the_threshold() -> None:
    half = np.sqrt(SCORES) / np.sqrt(SCORES).sum()
    found = answer(temperature=2.0, score_threshold=0.3)
    assert [entry.score for entry in found.predictions] == pytest.approx([float(half[1])], abs=1e-6)
    assert answer(temperature="artifact", fitted=2.0) == answer(temperature=2.0)
    assert answer(fitted=2.0) == answer()
    with pytest.raises(UsageError, match="Export the bundle again"):
        answer(temperature="artifact", fitted=0.0)


@pytest.mark.parametrize("temperature", [0.01, 0.05, 0.7, 1.3, 20.0, 100.0])
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_temperature_is_the_one_that_the_export_fits(temperature: float, classes: int) -> None:
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.full(classes, 0.05), 20).astype(np.float32)
    expected = fitted_with(scores, temperature)
    for one, other in zip(scores, expected, strict=True):
        found = softened(one, temperature)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, other, atol=1e-7)
        assert found.sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_score_that_is_no_number_is_an_error_in_a_denied_class_too(bad: float) -> None:
    bound = ResultOptions(category_denylist=["b"], temperature=2.0).bound_to(("a", "b", "c"), 1.0)
    with pytest.raises(ModelFileError, match="finite"):
        bound.rank(np.array([0.5, bad, 0.5], np.float32), 3)


def test_labels_of_a_list_are_text() -> None:
    with pytest.raises(UsageError, match=r"category_denylist must be a list of labels.* Received: 1, int"):
        ResultOptions(category_denylist=["roses", 1])  # type: ignore[list-item]
    assert ResultOptions(category_allowlist=iter(["roses"])).category_allowlist == ("roses",)  # type: ignore[arg-type]


def test_more_results_than_any_integer_of_the_machine_are_all() -> None:
    assert len(answer(max_results=10**30).predictions) == len(LABELS)
    assert len(answer(10**30, category_denylist=["roses"]).predictions) == len(LABELS) - 1
