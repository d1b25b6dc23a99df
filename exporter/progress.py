"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is; 0, 0 where unknown."""


def step(tell: Progress, name: str) -> Callable[[int, int], None]:
    """Names one step, for what counts only done and all.

    Args:
        tell: Told the step's name with both numbers.
        name: The step.
    """
    return lambda done, total: tell(name, done, total)
