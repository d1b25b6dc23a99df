"""Runs a recipe.

Stages::

    recipe file, options -> resolved recipe   invalid values are rejected here
    data, weights        -> hashes            data is downloaded first where needed
    hashes, records      -> plan              which steps run, and why
    plan                 -> results           one step after the other, each recorded when it is done
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.common.atomic_file import check_file, write_whole
from snapship.run.console import RecipeProgress
from snapship.run.plan import (
    Decision,
    FinishedStep,
    RecipeState,
    hash_outputs,
    make_plan,
    read_state,
    whole_inputs,
    write_state,
)
from snapship.run.recipe import read_recipe, toml_text
from snapship.run.resolved_recipe import ResolvedRecipe, portable, resolve
from snapship.run.steps import Step, steps_of

if TYPE_CHECKING:
    from exporter import CheckReport
    from exporter.config.check_config import Inconclusive


@dataclass(frozen=True)
class StepResult:
    """A step of a finished recipe.

    Attributes:
        name: ``train``, ``export`` or ``check``.
        ran: Whether it ran now, rather than being skipped.
        reason: Why, for people.
        seconds: The duration of the step when it ran.
    """

    name: str
    ran: bool
    reason: str
    seconds: float


@dataclass(frozen=True)
class RecipeResult:
    """The results of a recipe.

    Attributes:
        recipe: The recipe's name.
        out: The folder of all results.
        run: The run folder.
        bundle: The bundle.
        val_top1: The full model's top-1 on val, 0..1.
        report: The check's report; its ``verdict`` is the worst of the artifacts'.
        steps: The steps.
        inconclusive: The recipe's ``check.inconclusive``.
    """

    recipe: str
    out: Path
    run: Path
    bundle: Path
    val_top1: float
    report: CheckReport
    steps: tuple[StepResult, ...]
    inconclusive: Inconclusive

    def raise_for_verdict(self) -> None:
        """Raises the error that the verdict means, if any.

        Raises:
            GateFailedError: An artifact failed.
            InconclusiveError: There are too few images to decide.
        """
        self.report.raise_for_verdict(self.inconclusive)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "recipe": self.recipe, "out": str(self.out), "run": str(self.run), "bundle": str(self.bundle),
            "verdict": self.report.verdict, "val_top1": self.val_top1,
            "steps": [asdict(step) for step in self.steps], "check": self.report.to_dict(),
        }  # fmt: skip


def run_recipe(
    recipe: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    progress: RecipeProgress | None = None,
) -> RecipeResult:
    """Trains, exports and checks as a recipe says; steps whose inputs did not change are skipped.

    Args:
        recipe: A ``.toml`` file, or a name of :func:`snapship.run.builtin_names`.
        data: Replaces ``train.data``.
        weights: Replaces ``train.weights``.
        out: The folder for the results; None for ``runs/<name of the recipe>``.
        settings: Values by ``table.key``, e.g. ``{"train.epochs": 3}``.
        force: Run every step.
        progress: Progress callbacks; None shows nothing.

    Returns:
        The results. Call :meth:`RecipeResult.raise_for_verdict` to raise on a verdict other than ``pass``.

    Raises:
        SnapshipError: The recipe, the data or an option is invalid, or a step failed. The steps
            before it are done and recorded.
    """
    progress = progress or RecipeProgress()
    resolved = resolve(read_recipe(recipe), data=data, weights=weights, out=out, settings=settings)
    state = read_state(resolved.paths, resolved.name, force)
    check_file(resolved.paths.state, "--out")
    _download(resolved, progress)
    steps = steps_of(resolved)
    plan = make_plan(steps, state.steps, resolved.paths.out, force=force)
    progress.planned(resolved, plan)
    _save_recipe(resolved)
    previous = ""
    for step, decision in zip(steps, plan, strict=True):
        if decision.runs:
            progress.step_started(step.name)
            done = _run_step(step, previous, resolved, progress, force)
            state = RecipeState(
                schema_version=1, recipe=resolved.name, steps={**state.steps, step.name: done}
            )
            write_state(resolved.paths, state)
            progress.step_finished(step.name, done.seconds)
        previous = state.steps[step.name].digest
    return _result(resolved, plan, state)


def plan_recipe(
    recipe: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
) -> tuple[ResolvedRecipe, tuple[Decision, ...]]:
    """Plans what :func:`run_recipe` would do with the same arguments; writes and downloads nothing.

    Args:
        recipe: As for :func:`run_recipe`.
        data: The same.
        weights: The same.
        out: The same.
        settings: The same.
        force: The same.

    Returns:
        The resolved recipe, and the decision for each step.

    Raises:
        SnapshipError: The recipe, the data or an option is invalid.
    """
    resolved = resolve(read_recipe(recipe), data=data, weights=weights, out=out, settings=settings)
    state = read_state(resolved.paths, resolved.name, force)
    return resolved, make_plan(steps_of(resolved), state.steps, resolved.paths.out, force=force)


def _download(recipe: ResolvedRecipe, progress: RecipeProgress) -> None:
    """Downloads named data sets before the plan, which hashes their contents."""
    from trainer.core.cache import ensure_downloaded

    wanted = (recipe.train.data, recipe.export.data, recipe.export.calibration_data, recipe.check.data)
    with progress.training() as callback:
        for data in dict.fromkeys(os.fspath(found) for found in wanted if found is not None):
            ensure_downloaded(data, callback)


def _save_recipe(recipe: ResolvedRecipe) -> None:
    paths = recipe.paths
    if not paths.state.is_file():
        # First of all: it marks the folder as ours, in case the first step is interrupted.
        write_state(paths, RecipeState(schema_version=1, recipe=recipe.name))
    head = f"# As it was used: {recipe.name} ({recipe.where}), every value resolved.\n\n"
    write_whole(paths.recipe, head + toml_text(portable(recipe.values)))


def _run_step(
    step: Step, previous: str, recipe: ResolvedRecipe, progress: RecipeProgress, force: bool
) -> FinishedStep:
    # Before it runs: a later change to the inputs makes the next run repeat the step.
    inputs = whole_inputs(step, previous)
    started = time.monotonic()
    step.run(progress, force)
    outputs = hash_outputs(recipe.paths.out, step.outputs)
    return FinishedStep(inputs=inputs, outputs=outputs, seconds=round(time.monotonic() - started, 2))


def _result(recipe: ResolvedRecipe, plan: tuple[Decision, ...], state: RecipeState) -> RecipeResult:
    from edge_runtime.bundle.strict_json import decode_json
    from exporter import CheckReport
    from trainer.run.run_json import read_run

    paths = recipe.paths
    report: CheckReport = decode_json(paths.check_json.read_bytes(), CheckReport, str(paths.check_json))
    return RecipeResult(
        recipe=recipe.name,
        out=paths.out,
        run=paths.run,
        bundle=paths.bundle,
        val_top1=read_run(paths.run).metrics.val_top1,
        report=report,
        steps=tuple(
            StepResult(entry.step, entry.runs, entry.reason, state.steps[entry.step].seconds)
            for entry in plan
        ),
        inconclusive=recipe.check.inconclusive,
    )
