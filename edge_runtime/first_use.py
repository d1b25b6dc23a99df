"""Speed-ups that a program which answers once does without: loading them takes longer than they save."""

from __future__ import annotations


class FirstUse:
    """True when asked the first time, false ever after; safe in threads."""

    def __init__(self) -> None:
        self._left = iter((True,))

    def __call__(self) -> bool:
        """Whether this is the first use."""
        # One operation of the interpreter, so that threads need no lock.
        return next(self._left, False)
