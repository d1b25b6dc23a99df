"""Runs a recipe.

Stages::

    recipe file, options -> settings     everything that can be refused at once is
    data, weights        -> hashes       downloaded first where that is needed
    hashes, record       -> plan         which steps run, and why
    plan                 -> results      one step after the other, each recorded when it is done
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.atomic_file import check_file, write_whole
from snapship.run.plan import Decision, make_plan, whole_inputs
from snapship.run.recipe import read_recipe
from snapship.run.settings import Settings, portable, settle
from snapship.run.state import Done, State, hash_outputs, read_state, write_state
from snapship.run.steps import Step, steps_of
from snapship.run.toml_text import toml_text
from snapship.run.watching import Watcher

if TYPE_CHECKING:
    from exporter import CheckReport
    from exporter.check_config import Inconclusive


@dataclass(frozen=True)
class StepResult:
    """A step of a recipe that was run.

    Attributes:
        name: ``train``, ``export`` or ``check``.
        ran: Whether it ran now; else its results were there.
        reason: Why, in words.
        seconds: How long it took, now or then.
    """

    name: str
    ran: bool
    reason: str
    seconds: float


@dataclass(frozen=True)
class RecipeResult:
    """What a recipe left.

    Attributes:
        recipe: The recipe's name.
        out: The folder of everything below.
        run: The run folder.
        bundle: The bundle.
        val_top1: The full model's top-1 on val, 0..1.
        report: What the check found; its ``verdict`` is the worst of the artifacts'.
        steps: What was done.
        inconclusive: What the recipe takes an inconclusive verdict for.
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
        """Raises what the command exits with.

        Raises:
            GateFailedError: An artifact failed.
            InconclusiveError: Too few images to tell.
        """
        self.report.raise_for_verdict(self.inconclusive)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "recipe": self.recipe, "out": str(self.out), "run": str(self.run), "bundle": str(self.bundle),
            "verdict": self.report.verdict, "val_top1": self.val_top1,
            "steps": [
                {"name": step.name, "ran": step.ran, "reason": step.reason, "seconds": step.seconds}
                for step in self.steps
            ],
            "check": self.report.to_dict(),
        }  # fmt: skip


def run_recipe(
    recipe: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    watcher: Watcher | None = None,
) -> RecipeResult:
    """Trains, exports and checks as a recipe says; steps whose inputs did not change are skipped.

    Args:
        recipe: A ``.toml`` file, or a name of :func:`snapship.run.builtin_names`.
        data: Replaces ``train.data``.
        weights: Replaces ``train.weights``.
        out: The folder that gets the results; None for ``runs/<name of the recipe>``.
        settings: Values by ``table.key``, such as ``{"train.epochs": 3}``.
        force: Run every step.
        watcher: Told of everything; None shows nothing.

    Returns:
        What it left. A verdict that is not ``pass`` raises nothing here: see
        :meth:`RecipeResult.raise_for_verdict`.

    Raises:
        SnapshipError: The recipe, the data or an option is not as it must be, or a step
            failed. The steps before it are done and recorded.
    """
    told = watcher or Watcher()
    settled = settle(read_recipe(recipe), data=data, weights=weights, out=out, settings=settings)
    state = read_state(settled.layout, settled.name, force)
    check_file(settled.layout.state, "--out")
    _download(settled, told)
    steps = steps_of(settled)
    plan = make_plan(steps, state.steps, settled.layout.out, force=force)
    told.planned(settled, plan)
    _save_recipe(settled)
    previous = ""
    for step, decision in zip(steps, plan, strict=True):
        if decision.runs:
            told.begins(step.name)
            done = _run(step, previous, settled, told, force)
            state = State(schema_version=1, recipe=settled.name, steps={**state.steps, step.name: done})
            write_state(settled.layout, state)
            told.ended(step.name, done.seconds)
        previous = state.steps[step.name].digest
    return _result(settled, plan, state)


def plan_recipe(
    recipe: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
) -> tuple[Settings, tuple[Decision, ...]]:
    """Says what :func:`run_recipe` would do; writes and downloads nothing.

    Args:
        recipe: As there, and so are the others.
        data: As there.
        weights: As there.
        out: As there.
        settings: As there.
        force: As there.

    Returns:
        The settled recipe, and what would happen to each step.

    Raises:
        SnapshipError: The recipe, the data or an option is not as it must be.
    """
    settled = settle(read_recipe(recipe), data=data, weights=weights, out=out, settings=settings)
    state = read_state(settled.layout, settled.name, force)
    return settled, make_plan(steps_of(settled), state.steps, settled.layout.out, force=force)


def _download(settings: Settings, watcher: Watcher) -> None:
    """Sets by name are fetched before the plan, which needs their contents."""
    from trainer.downloads import ensure_downloaded

    wanted = (
        settings.train.data,
        settings.export.data,
        settings.export.calibration_data,
        settings.check.data,
    )
    with watcher.training() as progress:
        for data in dict.fromkeys(os.fspath(found) for found in wanted if found is not None):
            ensure_downloaded(data, progress)


def _save_recipe(settings: Settings) -> None:
    layout = settings.layout
    if not layout.state.is_file():
        # First of all: it marks the folder as ours, should the first step be cut off.
        write_state(layout, State(schema_version=1, recipe=settings.name))
    head = f"# As it was used: {settings.name} ({settings.where}), every value settled.\n\n"
    write_whole(layout.recipe, head + toml_text(portable(settings.values)))


def _run(step: Step, previous: str, settings: Settings, watcher: Watcher, force: bool) -> Done:
    # Before it runs: what changes meanwhile is another run's.
    inputs = whole_inputs(step, previous)
    started = time.monotonic()
    step.run(watcher, force)
    outputs = hash_outputs(settings.layout.out, step.outputs)
    return Done(inputs=inputs, outputs=outputs, seconds=round(time.monotonic() - started, 2))


def _result(settings: Settings, plan: tuple[Decision, ...], state: State) -> RecipeResult:
    from edge_runtime.manifest import decode_json
    from exporter import CheckReport
    from trainer.run import read_run

    layout = settings.layout
    report: CheckReport = decode_json(layout.check_json.read_bytes(), CheckReport, str(layout.check_json))
    return RecipeResult(
        recipe=settings.name,
        out=layout.out,
        run=layout.run,
        bundle=layout.bundle,
        val_top1=read_run(layout.run).metrics.val_top1,
        report=report,
        steps=tuple(
            StepResult(entry.step, entry.runs, entry.reason, state.steps[entry.step].seconds)
            for entry in plan
        ),
        inconclusive=settings.check.inconclusive,
    )
