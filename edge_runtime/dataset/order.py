"""Order of classes, which is the order of the model's outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts class names; numerically if all are integers, so that 10 follows 9.

    Args:
        names: Class names; duplicates are dropped.
    """
    unique = set(names)
    if unique and all(_is_integer(name) for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(sorted(unique))


def distinct_labels(names: Sequence[str]) -> tuple[str, ...]:
    """Makes duplicate names unique by their index, as needed for the two cranes of ImageNet.

    Args:
        names: Class names in the order of the model's outputs.

    Returns:
        The same names, with the index appended to repeated ones: ``crane (517)``.
    """
    seen: set[str] = set()
    result = []
    for index, name in enumerate(names):
        result.append(f"{name} ({index})" if name in seen else name)
        seen.add(name)
    return tuple(result)


def _is_integer(name: str) -> bool:
    return name.isascii() and name.isdigit()
