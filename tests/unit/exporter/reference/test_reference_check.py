"""The p-value of a full model against guessing: never too small, and not needlessly large."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

from exporter.reference.reference_check import (
    LEVEL,
    IntArray,
    Standing,
    chernoff_p_value,
    guess_p_value,
    standing,
    standing_of,
)

SIZES = [(2, 3), (1, 1, 1, 1), (3, 3), (10, 2), (5, 4, 1), (2, 2, 2), (7, 9), (1, 30)]
DRAWS = 1000
"""The standard error of a rate of 5 % is 0.7 points."""


def ints(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


def guessers(classes: int, count: int = 300) -> np.ndarray:
    """Many ways to guess: even, everything on one class, and at random; ``[guessers, classes]``."""
    rng = np.random.default_rng(classes)
    drawn = [rng.dirichlet(np.full(classes, spread), count) for spread in (0.3, 1.0, 5.0)]
    return np.concatenate([np.full((1, classes), 1 / classes), np.eye(classes), *drawn])


def outcomes(sizes: tuple[int, ...]) -> np.ndarray:
    return np.array(list(itertools.product(*(range(size + 1) for size in sizes))))


def probabilities(hits: np.ndarray, sizes: tuple[int, ...], shares: np.ndarray) -> np.ndarray:
    """Of every outcome for every guesser, ``[guessers, outcomes]``."""
    return np.prod(binom.pmf(hits[None], np.array(sizes), shares[:, None, :]), axis=2)


@pytest.mark.parametrize("sizes", SIZES)
def test_p_value_is_no_smaller_than_any_guesser_makes_it(sizes: tuple[int, ...]) -> None:
    """Enumerated: all outcomes of few images against hundreds of guessers."""
    hits = outcomes(sizes)
    balanced = (hits / np.array(sizes)).mean(axis=1)
    chances = probabilities(hits, sizes, guessers(len(sizes)))
    for row, reached in zip(hits, balanced, strict=True):
        worst = chances[:, balanced >= reached - 1e-12].sum(axis=1).max()
        assert guess_p_value(row, ints(*sizes)) >= worst - 1e-9


@pytest.mark.parametrize("sizes", [*SIZES, (100, 3), (20, 20)])
def test_no_guesser_passes_more_than_once_in_twenty(sizes: tuple[int, ...]) -> None:
    hits = outcomes(sizes)
    passes = np.array([guess_p_value(row, ints(*sizes)) <= LEVEL for row in hits])
    chances = probabilities(hits, sizes, guessers(len(sizes)))
    assert chances[:, passes].sum(axis=1).max() <= LEVEL


@pytest.mark.parametrize("kind", ["even", "one class", "small classes", "by size"])
def test_no_guesser_passes_more_than_once_in_twenty_on_many_unequal_classes(kind: str) -> None:
    """Simulated: 40 classes of 1 to 20 images."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, 21, 40)
    shares = {
        "even": np.full(40, 1 / 40),
        "one class": np.eye(40)[0],
        "small classes": (sizes <= 3) / np.sum(sizes <= 3),
        "by size": sizes / sizes.sum(),
    }[kind]
    drawn = rng.binomial(sizes, shares, (DRAWS, 40))
    reached, places = np.unique(drawn, axis=0, return_inverse=True)
    passes = np.array([guess_p_value(row, sizes) <= LEVEL for row in reached])[places.reshape(-1)]
    assert passes.mean() <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / DRAWS)


def test_bound_is_attained_where_classes_are_equally_large() -> None:
    """250 of 1,000 classes with one image each: what an even guesser does is the bound itself."""
    images = np.ones(250, dtype=np.int64)
    for right in (2, 4, 5, 30):
        hits = (np.arange(250) < right).astype(np.int64)
        assert guess_p_value(hits, images) == pytest.approx(binom.sf(right - 1, 250, 1 / 250), rel=1e-9)
    assert guess_p_value((np.arange(250) < 3).astype(np.int64), images) > LEVEL
    assert guess_p_value((np.arange(250) < 4).astype(np.int64), images) < LEVEL


@pytest.mark.parametrize("sizes", [(2, 3), (100, 3), (4, 5), (1, 2, 3, 400)])
def test_bound_is_attained_by_a_perfect_model(sizes: tuple[int, ...]) -> None:
    """The guesser that is most often right on everything names classes as often as they occur."""
    total = sum(sizes)
    wanted = math.prod((size / total) ** size for size in sizes)
    assert guess_p_value(ints(*sizes), ints(*sizes)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("sizes", [*SIZES, (100, 3), (1000,) * 5, (1,) * 250])
def test_constant_model_is_never_above_chance(sizes: tuple[int, ...]) -> None:
    for one in {0, len(sizes) - 1}:
        hits = np.zeros(len(sizes), dtype=np.int64)
        hits[one] = sizes[one]
        assert guess_p_value(hits, ints(*sizes)) == 1.0


def test_two_classes_of_100_and_3_images() -> None:
    """Plain top-1 would call 100 of 103 right an excellent model."""
    images = ints(100, 3)
    assert guess_p_value(ints(100, 0), images) == 1.0
    assert guess_p_value(ints(97, 1), images) > LEVEL
    assert guess_p_value(ints(97, 3), images) < LEVEL
    assert guess_p_value(ints(60, 3), images) > LEVEL


def test_more_right_answers_never_raise_the_p_value() -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        sizes = rng.integers(1, 12, rng.integers(2, 9))
        hits = rng.integers(0, sizes + 1)
        before = guess_p_value(hits, sizes)
        for place in np.flatnonzero(hits < sizes):
            more = hits.copy()
            more[place] += 1
            assert guess_p_value(more, sizes) <= before + 1e-12


def test_chernoff_bound_survives_extreme_sizes() -> None:
    for sizes in (ints(1, 1_000_000), ints(*([1] * 999), 5000), ints(*([10_000] * 1000))):
        assert chernoff_p_value(sizes // 2, sizes) <= 1.0
        assert 0.0 <= chernoff_p_value(sizes, sizes) < LEVEL


def test_one_class_shows_nothing() -> None:
    found = standing_of(np.ones(500, dtype=bool), np.full(500, 7, dtype=np.int64))
    assert found == Standing(1.0, 500, 1, 1.0, 1.0)
    assert found.too_few
    assert not found.above_chance


@pytest.mark.parametrize(("sizes", "few"), [((1, 1), True), ((2, 2), True), ((2, 3), False), ((3, 3), False),
                                            ((1, 1, 1), False), ((1, 4), True)])  # fmt: skip
def test_images_that_not_even_a_perfect_model_could_stand_out_on(sizes: tuple[int, ...], few: bool) -> None:
    truth = np.repeat(np.arange(len(sizes)), sizes)
    found = standing(np.eye(len(sizes), dtype=np.float32)[truth], truth)
    assert found.balanced_accuracy == 1.0
    assert found.too_few is few
    assert found.above_chance is not few


def test_chance_is_that_of_the_classes_with_images() -> None:
    """A guesser may keep to them: 3 of 1,000 classes have images, so chance is a third."""
    truth = ints(*([5] * 40 + [600] * 40 + [999] * 40))
    right = np.arange(120) % 40 < 20
    found = standing_of(right, truth)
    assert (found.classes, found.chance, found.balanced_accuracy) == (3, 1 / 3, 0.5)
    assert found.above_chance
    assert not standing_of(np.arange(120) % 40 < 15, truth).above_chance
