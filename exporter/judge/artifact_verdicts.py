"""What every report of a check does with its artifacts: it fails those that a replay refutes, and names some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast

import msgspec

from exporter.evidence.record import GoldenReport
from exporter.statistics.gate import GateVerdict


class Explained(Protocol):
    """An artifact with a verdict and its reason."""

    @property
    def verdict(self) -> GateVerdict:
        """The verdict."""

    @property
    def reason(self) -> str:
        """The reason, in words."""


Replayable = TypeVar("Replayable", bound="_Replayable")


class _Replayable(Protocol):
    """A struct with a field ``golden``."""

    @property
    def golden(self) -> GoldenReport | None:
        """A replay of the golden examples."""

    def failing(self: Replayable, reason: str) -> Replayable:
        """The same with the verdict ``fail``."""


def after_replays(
    artifacts: Mapping[str, Replayable], replays: Mapping[str, GoldenReport]
) -> dict[str, Replayable]:
    """Adds golden replays; an artifact whose results cannot be reproduced fails.

    Args:
        artifacts: The artifacts by kind.
        replays: By kind; kinds that were not judged are left out.
    """
    after = dict(artifacts)
    for kind in artifacts.keys() & replays.keys():
        found, replay = after[kind], replays[kind]
        if not replay.passed:
            found = found.failing(f"golden replay: {replay.reason}")
        after[kind] = msgspec.structs.replace(cast(Any, found), golden=replay)
    return after


def named(artifacts: Mapping[str, Explained], verdict: GateVerdict) -> list[str]:
    """The artifacts with a verdict, each with its reason.

    Args:
        artifacts: The artifacts by kind.
        verdict: The verdict.
    """
    return [f"{kind}: {found.reason}" for kind, found in artifacts.items() if found.verdict == verdict]
