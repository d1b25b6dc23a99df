"""Which class name each output of a foreign model means, where only the images can tell.

A model file without labels has outputs by number. Class folders give names, but tools sort
them differently: Keras, torchvision and TensorFlow Datasets sort as text (1, 10, 11, 2), this
project sorts whole numbers by value (1, 2, 10, 11), and people write lists by hand. Where the
known orders of a data set differ, the labelled images decide::

    rivals    the known orders that differ
    best      the one with the highest balanced accuracy
    beaten    a rival is beaten where, of the images that only one of the two orders names
              right, so many are the best order's that a fair coin would give as many in at
              most 1 of 1,000 (one-sided exact sign test)

The best order is used if it beats all rivals. An order that only some tools use (capital
letters ignored, numbers inside names by value) does not stand in the way of the usual ones:
it has to win clearly, or it does not count. Two usual orders that cannot be told apart stay
undecided.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.dataset import class_order
from edge_runtime.errors import UsageError
from edge_runtime.result import Float32Array
from exporter.reference_check import IntArray, standing_of

SIGN_LEVEL = 1e-3
"""An order is clearly better where a fair coin does as well with at most this probability."""

_SHOWN = 4


@dataclass(frozen=True)
class ClassOrder:
    """One order of the same class names.

    Attributes:
        words: How it is sorted, to follow "sorted".
        labels: The names in that order.
        usual: Whether common training tools, or this project, sort so.
    """

    words: str
    labels: tuple[str, ...]
    usual: bool

    def __str__(self) -> str:
        """Such as ``sorted as text (1, 10, 11, 12, ...)``."""
        shown = ", ".join(label[:24] for label in self.labels[:_SHOWN])
        return f"sorted {self.words} ({shown}{', ...' if len(self.labels) > _SHOWN else ''})"


@dataclass(frozen=True)
class OrderFound:
    """What the images say about the order.

    Attributes:
        best: The order with the highest balanced accuracy.
        settled: The order to use; None where the images do not decide.
        accuracies: Balanced accuracy of the model under each order, 0..1, the best first.
    """

    best: ClassOrder
    settled: ClassOrder | None
    accuracies: tuple[tuple[ClassOrder, float], ...]

    @property
    def told(self) -> str:
        """The orders and their accuracies, for a sentence; the settled one first."""
        ranked = sorted(self.accuracies, key=lambda entry: entry[0] is not self.settled)
        return ", ".join(f"{100 * accuracy:.1f} % {order}" for order, accuracy in ranked)

    def note(self, file: str, images: int) -> str:
        """Says which order is used, and why.

        Args:
            file: The model's file.
            images: How many images decided.
        """
        return (
            f"{file} brings no labels; the order of its classes is the one that fits the {images} labelled "
            f"images: balanced accuracy {self.told}"
        )


def known_orders(labels: Sequence[str]) -> tuple[ClassOrder, ...]:
    """The orders in which tools sort these names, those that are equal only once.

    Args:
        labels: Class names, distinct.

    Returns:
        One order where all tools agree; the first is the one of training tools.
    """
    numbers = class_order(labels) != tuple(sorted(labels))
    found = [ClassOrder("as text", tuple(sorted(labels)), usual=True)]
    if numbers:
        found.append(ClassOrder("by number", class_order(labels), usual=True))
    found += [
        ClassOrder("with the numbers in them by value", _by(labels, _natural), usual=False),
        ClassOrder("without regard to case", _by(labels, str.casefold), usual=False),
        ClassOrder(
            "without regard to case, the numbers in them by value",
            _by(labels, lambda label: _natural(label.casefold())),
            usual=False,
        ),
        # As the folders of an old Mac have them: é as e and an accent.
        ClassOrder(
            "with accents as signs of their own",
            _by(labels, lambda label: unicodedata.normalize("NFD", label)),
            usual=False,
        ),
    ]
    distinct: dict[tuple[str, ...], ClassOrder] = {}
    for order in found:
        distinct.setdefault(order.labels, order)
    return tuple(distinct.values())


def is_sorted(labels: Sequence[str]) -> bool:
    """Whether names are in the order that this project sorts them in.

    Names in another order were put so on purpose, by a file of labels or a published list.

    Args:
        labels: Class names.
    """
    return tuple(labels) == class_order(labels)


def find_order(scores: Float32Array, truth: IntArray, labels: Sequence[str]) -> OrderFound:
    """Finds the order of names under which a model is right.

    Args:
        scores: The model's scores, float32 ``[n, classes]``.
        truth: True class of each image as an index into ``labels``, int64 ``[n]``.
        labels: Class names in any order, as many as the model has outputs.
    """
    orders = known_orders(labels)
    named = scores.argmax(axis=1)
    rights = {}
    for order in orders:
        places = {label: place for place, label in enumerate(order.labels)}
        rights[order] = named == np.array([places[label] for label in labels])[truth]
    found = {order: standing_of(right, truth).balanced_accuracy for order, right in rights.items()}
    # Of equals the first, which is the most common.
    ranked = sorted(orders, key=lambda order: -found[order])
    best = ranked[0]
    open_ = [
        order
        for order in ranked[1:]
        if sign_p_value(
            int(np.sum(rights[best] & ~rights[order])), int(np.sum(rights[order] & ~rights[best]))
        ) > SIGN_LEVEL
    ]  # fmt: skip
    usual = [order for order in (best, *open_) if order.usual]
    settled = best if not open_ else usual[0] if len(usual) == 1 else None
    return OrderFound(best, settled, tuple((order, found[order]) for order in ranked))


def sign_p_value(more: int, fewer: int) -> float:
    """One-sided exact sign test: P(Bin(more + fewer, 1/2) >= more).

    Args:
        more: Images that only the one names right.
        fewer: Images that only the other names right.
    """
    from scipy.special import betainc

    return 1.0 if more == 0 else float(betainc(more, fewer + 1, 0.5))


def undecided(found: OrderFound, *, file: str, source: str, images: int) -> UsageError:
    """The error where the images do not tell the order.

    Args:
        found: What they say.
        file: The model's file.
        source: The data.
        images: How many there are.
    """
    return UsageError(
        "The class names of a model must be known in the order of its outputs. Received: "
        f"{file} without labels, and {len(found.best.labels)} class names of {source} that tools sort "
        f"differently, which {images} images do not settle: balanced accuracy {found.told}. "
        "Pass --labels FILE with one name a line, in the order of the outputs."
    )


def _by(labels: Sequence[str], key: Callable[[str], Any]) -> tuple[str, ...]:
    # The name itself breaks ties, so that the order does not depend on where it came from.
    return tuple(sorted(labels, key=lambda label: (key(label), label)))


def _natural(label: str) -> list[tuple[int, int, str]]:
    """Runs of digits as numbers, before text."""
    parts = re.findall(r"[0-9]+|[^0-9]+", label)
    return [(0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]
