"""A recipe on a terminal or in a log: the plan, then each step as it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from edge_runtime.progress import Progress
from edge_runtime.terminal import StepProgress, printable
from snapship.run.plan import Decision
from snapship.run.settings import Settings
from snapship.run.watching import Watcher

if TYPE_CHECKING:
    from trainer import Progress as TrainProgress


class ConsoleWatcher(Watcher):
    """Prints lines on stdout, or on stderr where stdout belongs to a document."""

    def __init__(self, to_stderr: bool) -> None:
        """Chooses the stream.

        Args:
            to_stderr: Whether lines go to stderr.
        """
        self._err = to_stderr

    def planned(self, settings: Settings, plan: tuple[Decision, ...]) -> None:
        """Prints what will happen."""
        for line in plan_lines(settings, plan):
            click.echo(line, err=self._err)

    def begins(self, step: str) -> None:
        """Prints its name."""
        click.echo(f"{step} ...", err=self._err)

    def ended(self, step: str, seconds: float) -> None:
        """Prints how long it took."""
        click.echo(f"{step} done in {seconds:.0f} s", err=self._err)

    def training(self) -> AbstractContextManager[TrainProgress]:
        """The display of ``snapship train``."""
        from trainer.console import ConsoleProgress

        return ConsoleProgress()

    def working(self) -> AbstractContextManager[Progress]:
        """The display of ``snapship export``."""
        return StepProgress()


def plan_lines(settings: Settings, plan: tuple[Decision, ...]) -> list[str]:
    """The plan for people.

    Args:
        settings: The recipe.
        plan: What will happen to each step.
    """
    width = max(len(entry.step) for entry in plan)
    head = f"{settings.name} ({settings.where}) on {settings.train.data} -> {settings.layout.out}"
    return [
        printable(head),
        *(
            printable(f"  {entry.step:<{width}}  {'run ' if entry.runs else 'skip'}  {entry.reason}")
            for entry in plan
        ),
    ]
