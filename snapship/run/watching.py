"""How a recipe tells what it is doing; it prints nothing itself."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from edge_runtime.progress import Progress, no_progress

if TYPE_CHECKING:
    from snapship.run.plan import Decision
    from snapship.run.settings import Settings
    from trainer import Progress as TrainProgress


class Watcher:
    """Is told of everything and shows nothing; override what shall be shown."""

    def planned(self, settings: Settings, plan: tuple[Decision, ...]) -> None:
        """Before anything is done.

        Args:
            settings: The recipe.
            plan: What will happen to each step.
        """

    def begins(self, step: str) -> None:
        """A step begins.

        Args:
            step: Its name.
        """

    def ended(self, step: str, seconds: float) -> None:
        """A step has ended well.

        Args:
            step: Its name.
            seconds: How long it took.
        """

    def training(self) -> AbstractContextManager[TrainProgress]:
        """What is told of the progress of training."""
        return nullcontext(lambda event, /: None)

    def working(self) -> AbstractContextManager[Progress]:
        """What is told of the progress of export and check."""
        return nullcontext(no_progress)
