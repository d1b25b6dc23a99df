"""Which class each output of an external model stands for, if only the images can tell.

A model file without labels has outputs by number. Class folders give names, but tools sort
them differently: Keras, torchvision and TensorFlow Datasets sort as text (1, 10, 11, 2), this
project sorts whole numbers by value (1, 2, 10, 11), and people write lists by hand. If the
known orders of a data set differ, the labelled images decide::

    rivals    the known orders that differ
    best      the one with the highest balanced accuracy
    beaten    a rival is beaten if the best order alone is right on so many more images than the
              rival alone that p is at most 0.001 (one-sided exact sign test)

The best order is used if it beats all rivals. An order that only some tools use (capital
letters ignored, numbers inside names by value) does not block the usual ones: it counts only if
it wins clearly. If two usual orders cannot be distinguished, the order stays undecided.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import UsageError
from edge_runtime.dataset import class_order
from edge_runtime.engines.result import Float32Array
from exporter.reference.reference_check import standing_of

SIGN_LEVEL = 1e-3
"""Largest p-value at which one order counts as better."""

_SHOWN = 4


@dataclass(frozen=True)
class ClassOrder:
    """One order of the same class names.

    Attributes:
        words: How it is sorted, to follow "sorted".
        labels: The names in that order.
        usual: Whether common training tools, or this project, sort this way.
    """

    words: str
    labels: tuple[str, ...]
    usual: bool

    def indices(self, truth: IntArray, labels: Sequence[str]) -> IntArray:
        """Class indices in this order.

        Args:
            truth: Class indices into ``labels``, int64 ``[n]``.
            labels: The same names in another order.
        """
        places = {label: place for place, label in enumerate(self.labels)}
        found: IntArray = np.array([places[label] for label in labels], dtype=np.int64)[truth]
        return found

    def __str__(self) -> str:
        """For example ``sorted as text (1, 10, 11, 12, ...)``."""
        shown = ", ".join(label[:24] for label in self.labels[:_SHOWN])
        return f"sorted {self.words} ({shown}{', ...' if len(self.labels) > _SHOWN else ''})"


@dataclass(frozen=True)
class OrderFound:
    """What the images reveal about the order.

    Attributes:
        best: The order with the highest balanced accuracy.
        settled: The order to use; None if the images do not decide.
        accuracies: Balanced accuracy of the model under each order, 0..1, the best first.
    """

    best: ClassOrder
    settled: ClassOrder | None
    accuracies: tuple[tuple[ClassOrder, float], ...]

    @property
    def text(self) -> str:
        """The orders and their accuracies, for a sentence; the settled one first."""
        ranked = sorted(self.accuracies, key=lambda entry: entry[0] is not self.settled)
        return ", ".join(f"{100 * accuracy:.1f} % {order}" for order, accuracy in ranked)

    def note(self, file: str, images: int) -> str:
        """Which order is used, and why.

        Args:
            file: The model's file.
            images: Number of images that decided.
        """
        return (
            f"{file} has no labels; the order of its classes is the one that fits the {images} labelled "
            f"images: balanced accuracy {self.text}"
        )


def known_orders(labels: Sequence[str]) -> tuple[ClassOrder, ...]:
    """The distinct orders in which tools sort these names.

    Args:
        labels: Class names, distinct.

    Returns:
        One order if all tools agree; the first is that of training tools.
    """
    found = [
        ClassOrder("as text", tuple(sorted(labels)), usual=True),
        ClassOrder("by number", class_order(labels), usual=True),
        ClassOrder("with the numbers in them by value", _by(labels, _natural), usual=False),
        ClassOrder("without regard to case", _by(labels, str.casefold), usual=False),
        ClassOrder(
            "without regard to case, the numbers in them by value",
            _by(labels, lambda label: _natural(label.casefold())),
            usual=False,
        ),
        # As in folders of an old Mac: é is e and an accent.
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
    """Whether names are in this project's sort order.

    Any other order is deliberate: a labels file or a published list.

    Args:
        labels: Class names.
    """
    return tuple(labels) == class_order(labels)


def find_order(scores: Float32Array, truth: IntArray, labels: Sequence[str]) -> OrderFound:
    """Finds the order of names that fits a model's answers.

    Args:
        scores: The model's scores, float32 ``[n, classes]``.
        truth: True class of each image as an index into ``labels``, int64 ``[n]``.
        labels: Class names in any order, as many as the model has outputs.
    """
    orders = known_orders(labels)
    named = scores.argmax(axis=1)
    rights = {order: named == order.indices(truth, labels) for order in orders}
    found = {order: standing_of(right, truth).balanced_accuracy for order, right in rights.items()}
    # Ties go to the first, which is the most common.
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
        more: Images that only the first gets right.
        fewer: Images that only the second gets right.
    """
    from scipy.special import betainc

    return 1.0 if more == 0 else float(betainc(more, fewer + 1, 0.5))


def undecided(found: OrderFound, *, file: str, source: str, images: int) -> UsageError:
    """The error if the images do not settle the order.

    Args:
        found: The orders compared.
        file: The model's file.
        source: The data.
        images: Number of images.
    """
    return UsageError(
        "The class names of a model must be known in the order of its outputs. Received: "
        f"{file} without labels, and {len(found.best.labels)} class names of {source} that tools sort "
        f"differently, which {images} images do not settle: balanced accuracy {found.text}. "
        "Pass --labels FILE with one name per line, in the order of the outputs."
    )


def _by(labels: Sequence[str], key: Callable[[str], Any]) -> tuple[str, ...]:
    # The name itself breaks ties, so that the order does not depend on the input order.
    return tuple(sorted(labels, key=lambda label: (key(label), label)))


def _natural(label: str) -> list[tuple[int, int, str]]:
    """Runs of digits as numbers, before text."""
    parts = re.findall(r"[0-9]+|[^0-9]+", label)
    return [(0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]
