"""Class names: ``labels.txt``, one name per line, in the order of the model's outputs.

A name may occur twice: ImageNet's 1000 classes have two cranes and two maillots.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.common.errors import BundleError
from edge_runtime.common.text import quoted

LABELS_FILE = "labels.txt"


def settled(label: str) -> str:
    """A class name as read back from ``labels.txt``: without surrounding white space and byte-order marks.

    Args:
        label: Any name; ``"roses "`` is ``"roses"``.
    """
    # U+FEFF is not white space to Python, and one at the start of a file is dropped.
    while (kept := label.strip().strip("\ufeff")) != label:
        label = kept
    return label


def parse_labels(text: str, name: str = LABELS_FILE) -> tuple[str, ...]:
    """Reads labels from text.

    Args:
        text: One label per line; a byte-order mark and trailing empty lines are dropped.
        name: Name of the text for messages.

    Returns:
        The labels in the order of the model's outputs.

    Raises:
        BundleError: There are no labels, or one is empty.
    """
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return validated(lines, name)


def validated(labels: Sequence[str], name: str = "labels") -> tuple[str, ...]:
    """Validates labels: none empty, each on one line, as read back from ``labels.txt``.

    Args:
        labels: Class names in the order of the model's outputs.
        name: Their name for messages.

    Raises:
        BundleError: There are no labels, or one is empty or has a line break.
    """
    if not labels:
        raise BundleError(
            f"Labels must name every class. Received: {name} without a label. Write one class name per line."
        )
    for index, label in enumerate(labels):
        if not label.strip() or len(label.splitlines()) != 1:
            raise BundleError(
                f"A label must be one line of text. Received: {quoted(label)} at index {index} of {name}. "
                "Name that class."
            )
    return tuple(labels)


def check_count(labels: Sequence[str], outputs: int, name: str = "") -> None:
    """Checks that a model has one output per label.

    Args:
        labels: Class names.
        outputs: Length of the model's score vector.
        name: The file that holds the labels, for messages.

    Raises:
        BundleError: The two differ.
    """
    if len(labels) != outputs:
        raise BundleError(
            f"Labels must match the model's outputs. Received: {f'{name}: ' if name else ''}{len(labels)} labels, "
            f"{outputs} outputs. Pass --labels or retrain."
        )


def labels_text(labels: Sequence[str]) -> str:
    """The content of ``labels.txt``."""
    return "".join(f"{label}\n" for label in labels)
