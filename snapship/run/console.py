"""Progress of a recipe, and its display: the plan, then each step as it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.common.terminal import StepProgress, printable
from snapship.run.plan import Decision
from snapship.run.resolved_recipe import ResolvedRecipe

if TYPE_CHECKING:
    from trainer import Progress as TrainProgress


class RecipeProgress:
    """Shows nothing; override what you need."""

    def planned(self, recipe: ResolvedRecipe, plan: tuple[Decision, ...]) -> None:
        """Called before the first step.

        Args:
            recipe: The recipe.
            plan: The decision for each step.
        """

    def step_started(self, step: str) -> None:
        """Called before a step.

        Args:
            step: Its name.
        """

    def step_finished(self, step: str, seconds: float) -> None:
        """Called after a step that succeeded.

        Args:
            step: Its name.
            seconds: Its duration.
        """

    def training(self) -> AbstractContextManager[TrainProgress]:
        """The progress callback of downloads and training."""
        return nullcontext(lambda event, /: None)

    def working(self) -> AbstractContextManager[Progress]:
        """The progress callback of export and check."""
        return nullcontext(no_progress)


class RecipeConsole(RecipeProgress):
    """Prints lines on stdout, or on stderr where stdout is for a document."""

    def __init__(self, to_stderr: bool) -> None:
        """Chooses the stream.

        Args:
            to_stderr: Whether lines go to stderr.
        """
        self._err = to_stderr

    def planned(self, recipe: ResolvedRecipe, plan: tuple[Decision, ...]) -> None:
        """Prints the plan."""
        for line in plan_lines(recipe, plan):
            click.echo(line, err=self._err)

    def step_started(self, step: str) -> None:
        """Prints the step's name."""
        click.echo(f"{step} ...", err=self._err)

    def step_finished(self, step: str, seconds: float) -> None:
        """Prints the step's duration."""
        click.echo(f"{step} done in {seconds:.0f} s", err=self._err)

    def training(self) -> AbstractContextManager[TrainProgress]:
        """The display of ``snapship train``."""
        from trainer.progress.console import ConsoleProgress

        return ConsoleProgress()

    def working(self) -> AbstractContextManager[Progress]:
        """The display of ``snapship export``."""
        return StepProgress()


def plan_lines(recipe: ResolvedRecipe, plan: tuple[Decision, ...]) -> list[str]:
    """Returns the plan as lines of text.

    Args:
        recipe: The recipe.
        plan: The decision for each step.
    """
    width = max(len(entry.step) for entry in plan)
    lines = [f"{recipe.name} ({recipe.where}) on {recipe.train.data} -> {recipe.paths.out}"]
    lines += [
        f"  {entry.step:<{width}}  {'run ' if entry.runs else 'skip'}  {entry.reason}" for entry in plan
    ]
    return [printable(line) for line in lines]
