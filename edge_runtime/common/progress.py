"""Progress callbacks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called while long work runs."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Reports progress.

        Args:
            step: What is being done, for people.
            done: Units finished, 0..total.
            total: Units in all; 0 where it is unknown.
        """


def no_progress(step: str, done: int, total: int) -> None:
    """Reports nothing."""
