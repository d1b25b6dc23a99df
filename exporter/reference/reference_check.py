"""Is the full model any better than a guesser that never looks at the image?

The gate compares an artifact with the full model, so it says nothing if the full model itself
is at chance: any artifact passes. The measure is balanced accuracy, the mean
over the classes with images of the share named right, because plain top-1 rewards a model that
answers with the largest class for every image.

A guesser names class c with probability g_c, whatever the image, and the g_c sum to 1. Of the
n_c images of class c it names X_c ~ Bin(n_c, g_c) right, independently of the other classes.
Its balanced accuracy has the mean 1/K for K classes with images, whatever its g. The p-value
is the probability that the *best suited* guesser does as well as the model did, bounded from
above without any approximation, for all image counts:

Equal class sizes, K classes of m images, S of them right
    S is a sum of K m independent Bernoulli variables of mean probability 1/K. For S above its
    mean no choice of their probabilities makes the upper tail larger than equal ones do
    (Hoeffding 1956, "On the distribution of the number of successes in independent trials",
    theorem 4), and a uniform guesser has equal ones. So the bound is attained::

        p = P(Bin(K m, 1/K) >= S)    where S > m, else 1

Any class sizes
    Chernoff's bound on the balanced accuracy b, with the guesser that makes it largest::

        p = min over t >= 0 of exp(-t b) max over g of prod_c (1 + g_c (exp(t / (K n_c)) - 1))^n_c

    The logarithm of the product is concave in g, so its maximum is the water-filling
    g_c = max(0, n_c / v - 1 / a_c) with a_c = exp(t / (K n_c)) - 1 and v such that they sum
    to 1. Every t gives a valid bound; the search for the best one only makes it smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.engines.result import Float32Array

LEVEL = 0.05
"""A full model counts as better than guessing if its p-value is at most this."""

_LARGEST_EXPONENT = 60.0
"""Beyond e^60 per image the Chernoff bound no longer moves by a digit of a double."""


@dataclass(frozen=True)
class Standing:
    """A model compared with guessing.

    Attributes:
        balanced_accuracy: Mean over the classes with images of the share named right, 0..1.
        images: Number of images.
        classes: Number of classes with images.
        p_value: Upper bound on the probability that a guesser does as well, 0..1.
        best_p_value: The same for a model that is right on every one of these images.
    """

    balanced_accuracy: float
    images: int
    classes: int
    p_value: float
    best_p_value: float

    @property
    def chance(self) -> float:
        """Balanced accuracy that a guesser expects, 0..1: it can keep to the classes with images."""
        return 1.0 / self.classes

    @property
    def above_chance(self) -> bool:
        """Whether the one-sided 95 % bound on the balanced accuracy is above :attr:`chance`."""
        return self.p_value <= LEVEL

    @property
    def too_few(self) -> bool:
        """Whether there are too few images to tell even a perfect model from a guesser."""
        return self.best_p_value > LEVEL


def standing(scores: Float32Array, truth: IntArray) -> Standing:
    """Compares a model with guessing.

    Args:
        scores: float32 ``[n, classes]``, at least one image.
        truth: True class indices, int64 ``[n]``.
    """
    return standing_of(scores.argmax(axis=1) == truth, truth)


def standing_of(right: Any, truth: IntArray) -> Standing:
    """As :func:`standing`, from which images were named right.

    Args:
        right: bool ``[n]``.
        truth: True class indices, int64 ``[n]``.
    """
    classes, rows = np.unique(truth, return_inverse=True)
    images = np.bincount(rows, minlength=len(classes)).astype(np.int64)
    hits = np.bincount(rows[right], minlength=len(classes)).astype(np.int64)
    return Standing(
        balanced_accuracy=float(np.mean(hits / images)),
        images=len(truth),
        classes=len(classes),
        p_value=guess_p_value(hits, images),
        best_p_value=guess_p_value(images, images),
    )


def guess_p_value(hits: IntArray, images: IntArray) -> float:
    """Probability, at most, that a guesser reaches a balanced accuracy; see the head of this file.

    Args:
        hits: Images named right by class, int64 ``[classes]``.
        images: Images by class, int64 ``[classes]``, each at least 1.

    Returns:
        0..1. At most 5 % of the sets of images give a guesser 0.05 or less.
    """
    if len(images) < 2:
        return 1.0
    bound = chernoff_p_value(hits, images)
    return min(bound, _binomial_p_value(hits, images)) if len(np.unique(images)) == 1 else bound


def _binomial_p_value(hits: IntArray, images: IntArray) -> float:
    """For classes of equal size."""
    from scipy.special import betainc

    right, total, each = int(hits.sum()), int(images.sum()), int(images[0])
    if right <= each:
        return 1.0
    return float(betainc(right, total - right + 1, 1.0 / len(images)))


def chernoff_p_value(hits: IntArray, images: IntArray) -> float:
    """The bound for classes of any sizes.

    Args:
        hits: Images named right by class, int64 ``[classes]``.
        images: Images by class, int64 ``[classes]``, each at least 1.
    """
    from scipy.optimize import minimize_scalar

    # Equal classes get equal g: the distinct sizes, and how many classes have each.
    sizes, weights = (found.astype(np.float64) for found in np.unique(images, return_counts=True))
    count = len(images)
    reached = float(np.mean(hits / images))
    if reached <= 1.0 / count:
        return 1.0
    # exp(t / (K n_c)) is at most e^60 for the largest class; the log scale finds small t too.
    longest = np.log(_LARGEST_EXPONENT * count * float(sizes.max()))

    def exponent(log_t: float) -> float:
        t = float(np.exp(log_t))
        return _worst_guesser(t / (count * sizes), sizes, weights) - t * reached

    found = minimize_scalar(exponent, bounds=(longest - 25.0, longest), method="bounded")
    return float(np.exp(min(0.0, float(found.fun))))


def _worst_guesser(exponents: Float64Array, sizes: Float64Array, classes: Float64Array) -> float:
    """Largest log of the moment generating function over all guessers, by water-filling.

    Args:
        exponents: t / (K n) of each class size, ``[sizes]``.
        sizes: Images of a class, ``[sizes]``.
        classes: Classes of that size, ``[sizes]``.
    """
    # 1 / a, which underflows to 0 for a large exponent, as intended.
    floors = 1.0 / np.expm1(np.minimum(exponents, 700.0))
    # A size takes part where n / v > 1 / a, so those of the smallest 1 / (a n) come first.
    order = np.argsort(floors / sizes, kind="stable")
    taken = np.cumsum((classes * sizes)[order])
    levels = taken / (1.0 + np.cumsum((classes * floors)[order]))
    # v where exactly the first k sizes take part; the right k has the largest g sum of 1 with all g > 0.
    fits = levels * (floors / sizes)[order] < 1.0
    level = float(levels[np.flatnonzero(fits)[-1]])
    shares = np.clip(sizes / level - floors, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        terms = np.logaddexp(np.log1p(-shares), np.log(shares) + exponents)
    return float(np.sum(classes * sizes * terms))
