"""Which steps will run, and why: decided from records alone, before any step runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from snapship.run.state import FinishedStep, changed_output

if TYPE_CHECKING:
    from snapship.run.steps import Step

_SHOWN = 3
"""Changes that a reason names."""

PREVIOUS = "previous_step"
"""The input that is the digest of the previous step's outputs."""


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
