"""The order of classes: which output of a model means which name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts class names; numerically when all are integers, so that 10 follows 9.

    Args:
        names: Class names; doubles are dropped.
    """
    unique = set(names)
    if unique and all(_is_integer(name) for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(sorted(unique))


def distinct_labels(names: Sequence[str]) -> tuple[str, ...]:
    """Makes doubled names distinct by their index, as ImageNet's two cranes need.

    Args:
        names: Class names in the order of the model's outputs.

    Returns:
        The same, where a name that occurred before has its index appended: ``crane (517)``.
    """
    seen: set[str] = set()
    result = []
    for index, name in enumerate(names):
        result.append(f"{name} ({index})" if name in seen else name)
        seen.add(name)
    return tuple(result)


def _is_integer(name: str) -> bool:
    return name.isascii() and name.isdigit()
