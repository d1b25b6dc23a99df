"""Decides which steps will run, and why, from ``recipe-state.json`` alone: before any step runs.

The file records the inputs and outputs of every finished step.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edge_runtime.bundle.bundle import file_sha256
from edge_runtime.common.atomic_file import write_whole
from edge_runtime.common.errors import UsageError, first_line
from edge_runtime.common.temporary import remove_abandoned
from snapship.run.resolved_recipe import RecipePaths

if TYPE_CHECKING:
    from snapship.run.steps import Step


PREVIOUS = "previous_step"
"""The input that is the digest of the previous step's outputs."""

_SHOWN = 3
"""Changes that a reason names."""


@dataclass(frozen=True)
class Decision:
    """Whether a step runs.

    Attributes:
        step: Its name.
        runs: Whether it runs.
        reason: Why, for people.
    """

    step: str
    runs: bool
    reason: str


class FinishedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step that succeeded.

    Attributes:
        inputs: Settings, versions and content hashes by name.
        outputs: SHA-256 of every file that it left, by path relative to the recipe's folder.
        seconds: Its duration.
    """

    inputs: dict[str, Any]
    outputs: dict[str, str]
    seconds: float

    @property
    def digest(self) -> str:
        """Hash of all outputs, an input of the next step; 64 hex digits."""
        return hashlib.sha256(msgspec.json.encode(self.outputs, order="sorted")).hexdigest()


class RecipeState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``recipe-state.json``.

    Attributes:
        schema_version: 1.
        recipe: The recipe's name.
        steps: The finished steps by name.
    """

    schema_version: Literal[1]
    recipe: str
    steps: dict[str, FinishedStep] = msgspec.field(default_factory=dict)


def make_plan(
    steps: Sequence[Step], done: Mapping[str, FinishedStep], out: Path, *, force: bool = False
) -> tuple[Decision, ...]:
    """Decides for every step whether it runs.

    Args:
        steps: In the order in which they run.
        done: The recorded steps by name.
        out: The folder of the results; their hashes are compared with the recorded ones.
        force: Whether all steps run.

    Raises:
        SnapshipError: An input of a step cannot be read.
    """
    plan: list[Decision] = []
    previous = ""
    for step in steps:
        # Even where nothing is compared: unreadable inputs are rejected now.
        inputs = whole_inputs(step, previous)
        record = done.get(step.name)
        running = next((decision.step for decision in plan if decision.runs), None)
        if force:
            reason = "--force"
        elif record is None:
            reason = "not done yet"
        elif running is not None:
            reason = f"{plan[-1].step} runs" if plan[-1].runs else f"{running} runs"
        else:
            reason = changes(record.inputs, inputs) or changed_output(out, record.outputs)
        plan.append(Decision(step.name, bool(reason), reason or "nothing changed"))
        previous = "" if record is None else record.digest
    return tuple(plan)


def whole_inputs(step: Step, previous: str) -> dict[str, Any]:
    """All inputs of a step as they are recorded: plain data after a round trip through JSON.

    Args:
        step: The step.
        previous: Digest of the previous step's outputs; empty for the first step.
    """
    inputs = step.inputs() | ({PREVIOUS: previous} if previous else {})
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(inputs))
    return plain


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describes which inputs differ; empty when none does.

    Args:
        before: The recorded inputs.
        now: The current inputs.
    """
    differing = [
        name
        for name in dict.fromkeys((*now, *before))
        if before.get(name) != now.get(name) or (name in before) != (name in now)
    ]
    words = [_change(name, before.get(name), now.get(name)) for name in differing[:_SHOWN]]
    more = len(differing) - _SHOWN
    return ", ".join([*words, f"{more} more"] if more > 0 else words)


def changed_output(out: Path, outputs: dict[str, str]) -> str:
    """Describes the first output that changed; empty when none did.

    Args:
        out: The recipe's folder.
        outputs: What :func:`hash_outputs` returned for the step.
    """
    for name, sha256 in outputs.items():
        try:
            same = file_sha256(out / name) == sha256
        except (OSError, ValueError):
            return f"{name} is missing"
        if not same:
            return f"{name} was changed"
    return "" if outputs else "it has no outputs"


def hash_outputs(out: Path, places: Iterable[Path]) -> dict[str, str]:
    """Hashes the files that a step left.

    Args:
        out: The recipe's folder.
        places: Files and folders in it.

    Returns:
        SHA-256 by path relative to ``out``, with ``/``.
    """
    files = [
        file
        for place in places
        for file in (sorted(place.rglob("*")) if place.is_dir() else [place])
        if file.is_file()
    ]
    return {file.relative_to(out).as_posix(): file_sha256(file) for file in files}


def read_state(paths: RecipePaths, recipe: str, force: bool) -> RecipeState:
    """Reads which steps are done; none where the folder is new.

    Args:
        paths: Where the results are.
        recipe: The recipe's name.
        force: Whether to ignore a damaged file.

    Raises:
        UsageError: The folder contains something else, another recipe's results, or a damaged file.
    """
    new = RecipeState(schema_version=1, recipe=recipe)
    try:
        if not paths.state.is_file():
            _check_empty(paths.out)
            return new
        data = paths.state.read_bytes()
    except OSError as error:
        raise UsageError(
            f"--out must be a readable folder. Received: {paths.out} ({error.strerror}). Pass another --out."
        ) from error
    try:
        found = msgspec.json.decode(data, type=RecipeState)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if force:
            return new
        raise UsageError(
            f"{paths.state.name} must follow its schema. Received: {paths.state} ({first_line(error)}). "
            "Restore it, or pass --force to run every step again."
        ) from error
    if found.recipe != recipe:
        raise UsageError(
            f"--out must be a folder of the same recipe. Received: {paths.out}, which contains the results of "
            f"{found.recipe!r}, not of {recipe!r}. Pass another --out."
        )
    return found


def write_state(paths: RecipePaths, state: RecipeState) -> None:
    """Writes the file, atomically.

    Args:
        paths: Where the results are.
        state: Its content.

    Raises:
        UsageError: The file cannot be written.
    """
    write_whole(paths.state, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")


def _change(name: str, before: Any, now: Any) -> str:
    if name == PREVIOUS:
        return "the output of the previous step changed"
    if name.endswith("_sha256"):
        return f"the {name.removesuffix('_sha256').replace('_', ' ')} changed"
    return f"{name} {_shown(before)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    if value is None:
        return "default"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _check_empty(out: Path) -> None:
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise UsageError(f"--out must be a folder. Received: {out}, a file. Pass another --out.")
    remove_abandoned(out)
    other = sorted(entry.name for entry in out.iterdir())
    if other:
        raise UsageError(
            f"--out must be a new folder or one that snapship run made. Received: {out}, which contains "
            f"{other[0]}. Pass another --out."
        )
