"""Which steps will run, and why: decided from records alone, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from snapship.run.state import Done, changed_output

_SHOWN = 3
"""Changes that a reason names."""

PREVIOUS = "previous_step"
"""The input that is the digest of what the step before left."""


class Planned(Protocol):
    """What the plan asks of a step."""

    @property
    def name(self) -> str:
        """Its name, such as ``export``."""
        ...

    def inputs(self) -> Mapping[str, Any]:
        """What it is made of, without the step before; plain data."""
        ...


@dataclass(frozen=True)
class Decision:
    """What will happen to a step.

    Attributes:
        step: Its name.
        runs: Whether it runs.
        reason: Why, in words.
    """

    step: str
    runs: bool
    reason: str


def make_plan(
    steps: Sequence[Planned], done: Mapping[str, Done], out: Path, *, force: bool = False
) -> tuple[Decision, ...]:
    """Decides for every step whether it runs.

    Args:
        steps: In the order in which they run.
        done: What was recorded, by step.
        out: The folder of the results; their hashes are compared with the record's.
        force: Whether all run.

    Raises:
        SnapshipError: Something that a step is made of cannot be read.
    """
    plan: list[Decision] = []
    previous = ""
    for step in steps:
        # Also where nothing is compared: what cannot be read is refused now.
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


def whole_inputs(step: Planned, previous: str) -> dict[str, Any]:
    """All inputs of a step as the record holds them: plain data, as JSON would give it back.

    Args:
        step: The step.
        previous: Digest of what the step before left; empty for the first.
    """
    inputs = dict(step.inputs()) | ({PREVIOUS: previous} if previous else {})
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(inputs))
    return plain


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Says which inputs differ; empty where none does.

    Args:
        before: The recorded ones.
        now: Those of today.
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
        return "the step before left something else"
    if name.endswith("_sha256"):
        return f"the {name.removesuffix('_sha256').replace('_', ' ')} changed"
    return f"{name} {_shown(before)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    if value is None:
        return "default"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
